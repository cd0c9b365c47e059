// Begin: which place, which view, the switches, the keys that work everywhere.

import * as api from "./api.js";
import { h, isTyping, say } from "./dom.js";
import { zone, zoneName } from "./format.js";
import { showHelp } from "./help.js";
import * as detections from "./views/detections.js";
import * as live from "./views/live.js";
import * as presence from "./views/presence.js";
import * as quality from "./views/quality.js";
import * as review from "./views/review.js";
import * as thresholds from "./views/thresholds.js";
import * as upload from "./views/upload.js";

const VIEWS = {
  live: ["Live", live],
  detections: ["Detections", detections],
  review: ["Review", review],
  presence: ["Presence", presence],
  thresholds: ["Thresholds", thresholds],
  quality: ["Quality", quality],
  upload: ["Upload", upload],
};

const main = document.getElementById("main");
const state = { places: [], about: {}, view: null, leave: null, turn: 0 };

/** The address after #: /place/view?parameters. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [place, view] = path.split("/").map(decoded);
  return { place, view, params: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // an address that somebody typed
  }
}

function hash(place, view, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, v]) => v !== "" && v !== null && v !== undefined)).toString();
  return `#/${encodeURIComponent(place)}/${view}${query ? `?${query}` : ""}`;
}

function viewsOf(place) {
  return Object.keys(VIEWS).filter((name) => (name !== "live" || place?.kind === "station") && (name !== "upload" || state.about.uploads) && (place || name === "upload"));
}

async function route() {
  const turn = ++state.turn;
  const asked = address();
  const place = state.places.find((one) => one.id === asked.place) ?? state.places[0];
  const views = viewsOf(place);
  const view = views.includes(asked.view) ? asked.view : views[0];
  state.leave?.();
  state.leave = null;
  if (!view) return main.replaceChildren(h("p", { class: "notice" }, "There is nothing to show: name a folder of `seacall listen` or `seacall detect` after `seacall serve`."));
  frame(place, view, views);
  const root = h("div", { class: `view view-${view}` });
  main.replaceChildren(root);
  const ctx = context(place, view, asked.params);
  try {
    const leave = await VIEWS[view][1].show(root, ctx);
    if (turn === state.turn) state.leave = leave ?? null;
    else leave?.(); // the view was left before it was there
  } catch (error) {
    root.replaceChildren(h("h1", {}, VIEWS[view][0]), failure(error));
  }
  return undefined;
}

function failure(error) {
  const again = h("button", { type: "button", onclick: route }, "Try again");
  return h("div", { class: "notice bad", role: "alert" }, h("p", {}, "⚠ ", error.message), again);
}

/** What a view is given. */
function context(place, view, params) {
  return {
    place,
    params,
    about: state.about,
    say,
    refresh,
    go: (name, wanted, at = place?.id) => (location.hash = hash(at ?? "-", name, wanted)),
    link: (name, wanted, at = place?.id) => hash(at ?? "-", name, wanted),
    /** Keep parameters in the address without beginning anew. */
    keep: (wanted) => history.replaceState(null, "", hash(place.id, view, wanted)),
    recall: (name, otherwise) => localStorage.getItem(`seacall.${name}`) ?? otherwise,
    remember: (name, value) => localStorage.setItem(`seacall.${name}`, value),
  };
}

async function refresh() {
  state.places = await api.places();
  const chosen = address().place;
  document.getElementById("place").replaceChildren(
    ...state.places.map((one) => h("option", { value: one.id, selected: one.id === chosen }, one.name)),
  );
}

function frame(place, view, views) {
  document.title = `${VIEWS[view][0]} – ${place?.name ?? ""} – seacall`;
  const chooser = document.getElementById("place");
  if (place) chooser.value = place.id;
  document.getElementById("nav").replaceChildren(
    ...views.map((name) => h("li", {}, h("a", { href: hash(place?.id ?? "-", name), "aria-current": name === view ? "page" : null }, VIEWS[name][0]))),
  );
  document.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  state.view = view;
  switches();
}

function switches() {
  const dark = document.documentElement.dataset.theme === "dark";
  document.getElementById("theme").textContent = dark ? "Light" : "Dark";
  const button = document.getElementById("zone");
  button.textContent = zone() === "utc" ? "UTC" : "Local";
  button.setAttribute("aria-label", `Times in ${zoneName()}; switch`);
}

function switchTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("seacall.theme", theme);
  document.documentElement.dataset.theme = theme;
  route();
}

function switchZone() {
  localStorage.setItem("seacall.zone", zone() === "utc" ? "local" : "utc");
  route();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const place = state.places.find((one) => one.id === document.getElementById("place").value);
  const name = viewsOf(place)[Number(event.key) - 1];
  const keys = { "?": showHelp, t: switchZone, d: switchTheme };
  if (keys[event.key]) keys[event.key]();
  else if (name) location.hash = hash(place?.id ?? "-", name);
}

async function begin() {
  addEventListener("hashchange", route);
  addEventListener("keydown", onKey);
  document.getElementById("theme").addEventListener("click", switchTheme);
  document.getElementById("zone").addEventListener("click", switchZone);
  document.getElementById("help").addEventListener("click", showHelp);
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the part after # is the view
    main.focus();
  });
  document.getElementById("place").addEventListener("change", (event) => (location.hash = hash(event.target.value, state.view)));
  switches();
  try {
    state.about = await api.about();
    await refresh();
  } catch (error) {
    main.replaceChildren(failure(error));
    return;
  }
  await route();
}

begin();
