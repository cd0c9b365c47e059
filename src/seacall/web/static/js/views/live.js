// Live: the spectrogram as it is heard, detections over it, level and health.

import * as api from "../api.js";
import { chip } from "../classes.js";
import { openClip } from "../clip.js";
import { MAPS } from "../colourmaps.js";
import { field, h, say, select } from "../dom.js";
import * as format from "../format.js";
import { draw as drawHealth } from "../health.js";
import { playerKeys } from "../keys.js";
import { LiveSocket } from "../socket.js";
import { LiveSpectrogram } from "../spectrogram.js";

const N_LATEST = 12;
const STRETCH_MS = 4000;

export async function show(root, ctx) {
  const view = new Live(root, ctx);
  await view.begin();
  return () => view.close();
}

class Live {
  constructor(root, ctx) {
    Object.assign(this, { root, ctx, latest: new Map(), source: ctx.params.get("source") });
    this.settings = { scale: ctx.recall("scale", "linear"), map: ctx.recall("map", "viridis"), seconds: Number(ctx.recall("seconds", 60)) };
  }

  async begin() {
    this.health = h("ul", { class: "health", "aria-label": "Health", role: "status" });
    this.connection = h("p", { class: "connection", role: "status" });
    this.meter = h("div", { class: "meter", role: "meter", "aria-label": "Level", "aria-valuemin": -100, "aria-valuemax": 0 }, h("div", { class: "fill" }), h("div", { class: "peak" }));
    this.levelText = h("output", { class: "level-text" }, "no level yet");
    this.chooser = h("div", { class: "field", hidden: true });
    this.rows = h("ol", { class: "latest" });
    this.clip = h("section", { class: "clip", "aria-label": "Player", hidden: true });
    this.log = h("ul", { class: "log" });
    const parts = { canvas: h("canvas", { role: "img", "aria-label": "Spectrogram of what is heard now" }), boxes: h("div", { class: "boxes" }), hz: h("div", { class: "axis-hz", "aria-hidden": "true" }), time: h("div", { class: "axis-time", "aria-hidden": "true" }) };
    this.root.replaceChildren(
      h("h1", {}, "Live"),
      h("div", { class: "status-row" }, this.health, this.connection),
      h("div", { class: "controls" }, this.chooser, ...this.choices()),
      h("div", { class: "plot live" }, parts.hz, h("div", { class: "plot-main" }, h("div", { class: "stage" }, parts.canvas, parts.boxes), parts.time)),
      h("div", { class: "level" }, h("span", {}, "Level"), this.meter, this.levelText),
      this.clip,
      h("div", { class: "two" }, h("section", {}, h("h2", {}, "Latest detections"), this.rows), h("section", {}, h("h2", {}, "What happened"), this.log)),
    );
    const clock = (t) => (t > 1e8 ? format.clock(t * 1e6) : format.seconds(t));
    this.spectrogram = new LiveSpectrogram(parts, { ...this.settings, labels: this.ctx.place.labels, clock, onOpen: (id) => this.open(id) });
    this.onKey = playerKeys(() => this.handle);
    addEventListener("keydown", this.onKey);
    await this.before();
    this.socket = new LiveSocket(() => api.liveAddress(this.ctx.place.id, this.source), (message) => this.take(message), (state, text) => this.told(state, text));
    this.stretching = setInterval(() => this.spectrogram.stretch(), STRETCH_MS);
  }

  close() {
    this.socket?.close();
    clearInterval(this.stretching);
    clearTimeout(this.logging);
    this.spectrogram.close();
    this.handle?.close();
    removeEventListener("keydown", this.onKey);
  }

  /** What is known before the first message comes. */
  async before() {
    const [health, found] = await Promise.all([api.health(this.ctx.place.id), api.detections(this.ctx.place.id, { order: "time", desc: true, limit: N_LATEST })]);
    drawHealth(this.health, health);
    this.offer((health.sources ?? []).map((one) => one.name));
    found.rows.toReversed().forEach((row) => this.keep(row));
    this.list();
    await this.events();
  }

  async events() {
    const { rows } = await api.events(this.ctx.place.id, 30).catch(() => ({ rows: [] }));
    this.log.replaceChildren(...rows.map(eventLine));
    if (!rows.length) this.log.append(h("li", { class: "quiet" }, "Nothing yet: gaps, reconnections and trouble are noted here."));
  }

  choices() {
    const set = (name) => (value) => {
      this.settings = { ...this.settings, [name]: name === "seconds" ? Number(value) : value };
      this.ctx.remember(name, value);
      this.spectrogram.look = this.settings;
    };
    return [
      field("Window", select([[30, "30 s"], [60, "1 min"], [120, "2 min"]], this.settings.seconds, set("seconds"))),
      field("Frequencies", select([["linear", "linear"], ["log", "logarithmic"]], this.settings.scale, set("scale"))),
      field("Colours", select(MAPS.map((m) => [m, m]), this.settings.map, set("map"))),
    ];
  }

  /** A choice of sources, where there are several. */
  offer(names) {
    this.source ??= names[0];
    if (names.length < 2 || this.chooser.dataset.names === names.join("\n")) return;
    this.chooser.dataset.names = names.join("\n");
    this.chooser.hidden = false;
    this.chooser.replaceChildren(...field("Source", select(names.map((n) => [n, n]), this.source, (name) => this.ctx.go("live", { source: name }))).children);
  }

  told(state, text) {
    this.connection.className = `connection ${state}`;
    this.connection.replaceChildren(h("span", { "aria-hidden": "true" }, { open: "● ", paused: "❚❚ " }[state] ?? "○ "), text);
  }

  take(message) {
    const { type } = message;
    if (type === "hello") this.offer(message.sources.map((one) => one.name ?? one));
    if (message.source && this.source && message.source !== this.source && type !== "detection") return;
    if (type === "spectrum") this.columns(message);
    if (type === "detection") this.detected(message.row, message.source);
    if (type === "level") this.level(message);
    if (type === "health") this.healthy(message);
  }

  columns(message) {
    const first = !this.spectrogram.nColumns;
    this.spectrogram.push(message);
    if (first) this.spectrogram.stretch();
  }

  healthy(message) {
    drawHealth(this.health, message);
    clearTimeout(this.logging);
    this.logging = setTimeout(() => this.events(), 500);
  }

  detected(row, source) {
    if (!this.source || source === this.source) this.spectrogram.detection(row);
    this.keep(row);
    this.list();
  }

  keep(row) {
    this.latest.set(row.id, row);
    while (this.latest.size > N_LATEST) this.latest.delete(this.latest.keys().next().value);
  }

  list() {
    const rows = [...this.latest.values()].toReversed();
    this.rows.replaceChildren(...rows.map((row) => h("li", {}, this.line(row))));
    if (!rows.length) this.rows.append(h("li", { class: "quiet" }, "No detections yet."));
  }

  line(row) {
    return h(
      "button",
      { type: "button", class: "row-button", onclick: () => this.open(row.id) },
      chip(row.label, this.ctx.place.labels),
      h("span", { class: "score" }, format.score(row.score)),
      h("span", {}, format.when(row)),
      h("span", { class: "quiet" }, row.state === "open" ? "going on" : format.seconds(row.end_s - row.start_s)),
      this.chooser.hidden ? null : h("span", { class: "source quiet" }, row.source),
    );
  }

  level({ rms_db, peak_db }) {
    const at = (db) => `${Math.min(100, Math.max(0, 100 + db))}%`;
    this.meter.children[0].style.width = at(rms_db);
    this.meter.children[1].style.left = at(peak_db);
    this.meter.setAttribute("aria-valuenow", Math.round(rms_db));
    const text = `${format.decibels(rms_db, "dBFS")} (peak ${format.decibels(peak_db, "dBFS")})`;
    this.meter.setAttribute("aria-valuetext", text);
    this.levelText.textContent = text;
  }

  async open(id) {
    this.handle?.close();
    this.clip.hidden = false;
    try {
      const row = await api.detection(this.ctx.place.id, id);
      this.handle = await openClip(this.clip, row, this.ctx);
      this.clip.scrollIntoView({ block: "nearest" });
    } catch (error) {
      say(error.message, { bad: true });
    }
  }
}

function eventLine(event) {
  const state = { on: " begins", off: " is over" }[event.state] ?? "";
  return h("li", {}, h("time", {}, `${format.day(event.time_us)} ${format.clock(event.time_us)}`), " ", h("b", {}, `${event.kind}${state}`), ` ${event.source ? `${event.source}: ` : ""}${event.text}`);
}
