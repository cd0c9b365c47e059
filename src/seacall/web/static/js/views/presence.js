// Presence: for each day and hour, calls and how long was listened.

import * as api from "../api.js";
import { colours } from "../colourmaps.js";
import { field, h, select, svg } from "../dom.js";
import * as format from "../format.js";

const DAYS = 31;
const BIN_S = 3600;

export async function show(root, ctx) {
  const found = await api.presence(ctx.place.id, { bin_s: BIN_S });
  if (!found.bins_us.length) {
    root.replaceChildren(h("h1", {}, "Presence"), h("p", { class: "notice" }, "Nothing with a date was heard yet: presence needs recordings whose start is known."));
    return;
  }
  const labels = ctx.place.labels.filter((label) => found.counts[label]);
  const others = Object.keys(found.counts).filter((label) => !labels.includes(label));
  const state = { label: ctx.params.get("label") ?? "", page: null };
  const draw = () => {
    ctx.keep({ label: state.label });
    body.replaceChildren(...content(found, state, draw, ctx));
  };
  const chooser = select([["", "all classes"], ...[...labels, ...others].map((l) => [l, format.named(l)])], state.label, (label) => {
    state.label = label;
    draw();
  });
  const body = h("div", {});
  root.replaceChildren(h("h1", {}, "Presence"), h("div", { class: "controls" }, field("Class", chooser)), body);
  draw();
}

/** Hours by day of the chosen zone: effort and calls. */
function byDay(found, label) {
  const series = label ? [found.counts[label] ?? []] : Object.values(found.counts);
  const days = new Map();
  found.bins_us.forEach((us, i) => {
    const name = format.day(us);
    if (!days.has(name)) days.set(name, new Map());
    const hour = Number(format.parts(us).hour);
    const before = days.get(name).get(hour) ?? { effort_s: 0, n: 0 }; // an hour comes twice in autumn
    days.get(name).set(hour, { effort_s: before.effort_s + found.effort_s[i], n: before.n + series.reduce((sum, one) => sum + (one[i] ?? 0), 0) });
  });
  return withGaps(days);
}

/** Days on which nobody listened belong to the picture. */
function withGaps(days) {
  const names = [...days.keys()].sort();
  const made = [];
  const last = Date.parse(names.at(-1));
  for (let t = Date.parse(names[0]); t <= last; t += 86_400_000) {
    const name = new Date(t).toISOString().slice(0, 10);
    made.push([name, days.get(name) ?? new Map()]);
  }
  return made;
}

function content(found, state, draw, ctx) {
  const days = byDay(found, state.label);
  const n_pages = Math.ceil(days.length / DAYS);
  state.page = Math.min(state.page ?? n_pages - 1, n_pages - 1);
  const shown = days.slice(state.page * DAYS, (state.page + 1) * DAYS);
  const most = Math.max(...days.flatMap(([, hours]) => [...hours.values()].map((one) => rate(one))), 0);
  return [summary(days, state.label), heatMap(shown, most, state.label, ctx), pages(state, n_pages, shown, draw), legend(most), h("h2", {}, "Calls a day, per hour listened"), timeline(days)];
}

const rate = ({ effort_s, n }) => (effort_s > 0 ? (n * 3600) / effort_s : 0);

function summary(days, label) {
  const all = days.flatMap(([, hours]) => [...hours.values()]);
  const sum = (of) => all.reduce((s, one) => s + of(one), 0);
  const effort_s = sum((one) => one.effort_s);
  const listened = all.filter((one) => one.effort_s > 0).length;
  const withCalls = all.filter((one) => one.n > 0).length;
  const what = label ? format.named(label) : "all classes";
  return h("p", { class: "summary" }, `${format.plural(sum((one) => one.n), "detection")} of ${what} in ${format.hours(effort_s)} of listening on ${format.plural(days.length, "day")}; heard in ${format.count(withCalls)} of ${format.plural(listened, "hour")} with effort${listened ? ` (${format.share(withCalls / listened)})` : ""}.`);
}

function heatMap(days, most, label, ctx) {
  const hours = [...Array(24).keys()];
  const head = h("tr", {}, h("th", { scope: "col" }, "Day"), hours.map((hour) => h("th", { scope: "col", class: hour % 3 ? "between" : "" }, String(hour).padStart(2, "0"))));
  const body = days.map(([name, of]) => h("tr", {}, h("th", { scope: "row" }, name), hours.map((hour) => cell(name, hour, of.get(hour), most))));
  const table = h("table", { class: "heat" }, h("caption", {}, `Detections by day and hour, ${label ? format.named(label) : "all classes"} (${format.zoneName()})`), h("thead", {}, head), h("tbody", {}, body));
  table.addEventListener("click", (event) => {
    const { day, hour } = event.target.closest("td")?.dataset ?? {};
    if (day && event.target.closest("td").dataset.n > 0) ctx.go("detections", { label, ...span(day, hour) });
  });
  return h("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": "Heat map" }, table);
}

/** From the hour to its end, in microseconds. */
function span(day, hour) {
  const text = `${day}T${String(hour).padStart(2, "0")}:00:00${format.zone() === "utc" ? "Z" : ""}`;
  const us = new Date(text).getTime() * 1000;
  return { since_us: us, until_us: us + BIN_S * 1e6 };
}

function cell(day, hour, one, most) {
  const name = `${day} ${String(hour).padStart(2, "0")}:00`;
  if (!one || one.effort_s <= 0) return h("td", { class: "unheard", title: `${name}: not listened` }, h("span", { class: "hidden" }, "not listened"));
  const partly = one.effort_s < 0.9 * BIN_S ? " partly" : "";
  const title = `${name}: ${format.plural(one.n, "detection")} in ${format.hours(one.effort_s)} listened`;
  if (!one.n) return h("td", { class: `none${partly}`, title }, "0");
  return h("td", { class: `some${partly}`, title, "data-day": day, "data-hour": hour, "data-n": one.n, style: shade(rate(one) / most) }, one.n > 999 ? "1k+" : String(one.n));
}

/** Cividis, from its second fifth on so that one call differs from none. */
function shade(x) {
  const at = 3 * Math.round(255 * (0.25 + 0.75 * Math.sqrt(Math.min(1, x))));
  const [r, g, b] = colours("cividis").subarray(at, at + 3);
  const luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  return { "background-color": `rgb(${r} ${g} ${b})`, color: luminance > 0.18 ? "#000000" : "#ffffff" };
}

const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);

function legend(most) {
  const steps = [0.04, 0.25, 0.5, 1].map((x) => h("span", { class: "swatch", style: shade(x) }, format.rough(x * most)));
  return h(
    "p",
    { class: "legend" },
    [["unheard", "", "not listened"], ["none", "0", "listened, no detection"], ["none partly", "", "listened for a part of the hour"]].map(([css, sign, text]) => h("span", { class: "key" }, h("span", { class: `swatch ${css}` }, sign), ` ${text}`)),
    most > 0 ? [h("span", {}, "Detections per hour listened:"), steps] : null,
  );
}

function pages(state, n_pages, shown, draw) {
  if (n_pages < 2) return h("div", {});
  const step = (by) => () => {
    state.page += by;
    draw();
  };
  return h(
    "div",
    { class: "pages" },
    h("button", { type: "button", disabled: state.page === 0, onclick: step(-1) }, "← Earlier"),
    h("span", {}, `${shown[0][0]} to ${shown.at(-1)[0]}`),
    h("button", { type: "button", disabled: state.page === n_pages - 1, onclick: step(1) }, "Later →"),
  );
}

function timeline(days) {
  const sums = days.map(([name, hours]) => {
    const all = [...hours.values()];
    const effort_s = all.reduce((s, one) => s + one.effort_s, 0);
    const n = all.reduce((s, one) => s + one.n, 0);
    return { name, effort_s, n, rate: rate({ effort_s, n }) };
  });
  const most = Math.max(...sums.map((one) => one.rate), 1e-9);
  const picture = svg("svg", { viewBox: `0 0 ${Math.max(sums.length, 31) * 10} 100`, preserveAspectRatio: "none", role: "img", "aria-label": "Detections of each day per hour listened", class: "timeline" });
  sums.forEach((one, i) => {
    const title = svg("title", {}, `${one.name}: ${format.plural(one.n, "detection")} in ${format.hours(one.effort_s)} listened`);
    const tall = one.effort_s ? Math.max(1, (96 * one.rate) / most) : 100;
    picture.append(svg("rect", { x: i * 10 + 1, width: 8, y: 100 - tall, height: tall, class: one.effort_s ? "day" : "unheard" }, title));
  });
  return h("figure", {}, h("div", { class: "timeline-box" }, h("span", { class: "quiet" }, `${format.rough(most)} per hour listened`), picture), h("figcaption", { class: "quiet" }, `${sums[0].name} to ${sums.at(-1).name}; grey days: not listened`));
}
