// Detections: a list with filters and pages, and the player of the chosen one.

import { Alike } from "../alike.js";
import * as api from "../api.js";
import { chip, settled } from "../classes.js";
import { openClip } from "../clip.js";
import { field, h, say, select } from "../dom.js";
import * as format from "../format.js";
import { playerKeys } from "../keys.js";
import { Verdicts, reviewerField } from "../verdicts.js";

const PER_PAGE = 50;
const COLUMNS = [["time", "Time"], [null, "Class"], ["score", "Score"], [null, "Band"], [null, "Length"], [null, "Source"], [null, "Verdict"]];
const SETTLED = [["", "all"], ["waiting", "not reviewed"], ["accepted", "accepted"], ["corrected", "corrected"], ["rejected", "rejected"], ["unsure", "unsure"], ["disputed", "disputed"]];

export async function show(root, ctx) {
  const view = new Detections(root, ctx);
  await view.begin();
  return () => view.close();
}

class Detections {
  constructor(root, ctx) {
    Object.assign(this, { root, ctx, rows: [], total: 0, asked: 0 });
    const given = Object.fromEntries(ctx.params);
    this.query = { order: "time", desc: "true", offset: "0", ...given };
    this.chosen = given.id ? Number(given.id) : null;
    delete this.query.id;
  }

  async begin() {
    this.body = h("tbody", {});
    this.count = h("p", { class: "count", role: "status" });
    this.pages = h("div", { class: "pages" });
    this.head = h("tr", {});
    this.clip = h("div", { class: "clip" });
    this.verdicts = new Verdicts(this.ctx, { current: () => this.handle?.row ?? null, onJudged: (row) => this.changed(row), onUndone: (row) => this.undone(row) });
    this.alike = new Alike(this.ctx, (id) => this.open(id));
    this.panel = h("section", { class: "panel", "aria-label": "Player", hidden: true }, this.clip, reviewerField(this.ctx), this.verdicts.element, this.alike.element, h("button", { type: "button", class: "close", onclick: () => this.shut() }, "Close"));
    this.root.replaceChildren(
      h("h1", {}, "Detections"),
      h("details", { class: "filter", open: !matchMedia("(max-width: 45rem)").matches }, h("summary", {}, "Filters"), this.filters()),
      h("div", { class: "list-and-panel" }, this.panel, h("div", { class: "list" }, this.count, h("div", { class: "table-wrap" }, h("table", { class: "rows" }, h("caption", { class: "hidden" }, "Detections"), h("thead", {}, this.head), this.body)), this.pages)),
    );
    const player = playerKeys(() => this.handle);
    this.onKey = (event) => this.verdicts.key(event) || this.move(event) || player(event);
    addEventListener("keydown", this.onKey);
    await this.load();
    if (this.chosen) await this.open(this.chosen);
  }

  close() {
    removeEventListener("keydown", this.onKey);
    this.handle?.close();
  }

  filters() {
    const set = (name) => (value) => this.change({ [name]: value });
    const input = (name, attributes) => h("input", { name, value: this.query[name] ?? "", onchange: (event) => set(name)(event.target.value), ...attributes });
    const time = (name) => h("input", { name, type: "datetime-local", step: 1, value: localOf(this.query[name]), onchange: (event) => set(name)(microsecondsOf(event.target.value)) });
    return h(
      "form",
      { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      field("Class", select([["", "all"], ...this.labels().map((l) => [l, format.named(l)])], this.query.label ?? "", set("label"))),
      field("Score at least", input("min_score", { type: "number", min: 0, max: 1, step: 0.05, inputmode: "decimal" })),
      field(`From (${format.zoneName()})`, time("since_us")),
      field("To", time("until_us")),
      field("Source", input("source", { type: "search", placeholder: "part of its name" })),
      field("Verdict", select(SETTLED, this.query.settled ?? "", set("settled"))),
      h("button", { type: "button", class: "clear", onclick: () => this.ctx.go("detections", { t: Date.now() % 1e6 }) }, "Clear filters"),
    );
  }

  /** Those of the model, and one that somebody asks for by its address. */
  labels() {
    return [...new Set([...this.ctx.place.labels, this.query.label ?? ""])].filter(Boolean);
  }

  async change(wanted) {
    this.query = { ...this.query, offset: "0", ...wanted };
    await this.load();
  }

  async load() {
    const asked = ++this.asked;
    const { t, ...query } = this.query;
    this.remember();
    try {
      const found = await api.detections(this.ctx.place.id, { ...query, limit: PER_PAGE });
      if (asked !== this.asked) return undefined; // a later question is under way
      if (!found.rows.length && found.total) return this.change({ offset: String(PER_PAGE * Math.floor((found.total - 1) / PER_PAGE)) });
      Object.assign(this, found);
      this.draw();
    } catch (error) {
      this.count.textContent = "";
      say(error.message, { bad: true });
    }
    return undefined;
  }

  remember() {
    const { t, ...query } = this.query;
    this.ctx.keep({ ...query, id: this.chosen });
  }

  draw() {
    const first = Number(this.query.offset);
    this.count.textContent = this.total ? `${format.count(first + 1)}–${format.count(first + this.rows.length)} of ${format.plural(this.total, "detection")}` : "";
    this.head.replaceChildren(...COLUMNS.map(([order, text]) => this.column(order, text)));
    this.body.replaceChildren(...this.rows.map((row) => this.line(row)));
    if (!this.rows.length) this.body.append(h("tr", {}, h("td", { colspan: COLUMNS.length, class: "quiet" }, "No detections fit these filters.")));
    const step = (by) => () => this.change({ offset: String(Math.max(0, first + by)) });
    this.pages.replaceChildren(
      h("button", { type: "button", disabled: first === 0, onclick: step(-PER_PAGE) }, "← Previous page"),
      h("button", { type: "button", disabled: first + this.rows.length >= this.total, onclick: step(PER_PAGE) }, "Next page →"),
    );
  }

  column(order, text) {
    if (!order) return h("th", { scope: "col", class: ["Band", "Length", "Source"].includes(text) ? "extra" : null }, text);
    const by = this.query.order === order;
    const down = this.query.desc === "true";
    const turn = () => this.change({ order, desc: String(by ? !down : true) });
    return h("th", { scope: "col", "aria-sort": by ? (down ? "descending" : "ascending") : "none" }, h("button", { type: "button", onclick: turn }, text, h("span", { "aria-hidden": "true" }, by ? (down ? " ▼" : " ▲") : " ↕")));
  }

  line(row) {
    const cells = [
      h("button", { type: "button", class: "open-row", "aria-label": `Open ${format.named(row.label)}, ${format.when(row)}` }, h("span", { "aria-hidden": "true" }, row.has_sound ? "▶ " : "– "), format.when(row)),
      chip(row.label, this.ctx.place.labels),
      scoreBar(row.score),
      h("span", { class: "nowrap" }, format.band(row.low_hz, row.high_hz)),
      row.state === "open" ? "going on" : format.seconds(row.end_s - row.start_s),
      h("span", { class: "source", title: row.source }, row.source),
      h("span", {}, settled(row), row.marks?.length ? h("span", { title: row.marks.join(", ") }, " ⚠") : null),
    ];
    return h(
      "tr",
      { "data-id": row.id, "aria-selected": String(row.id === this.chosen), onclick: () => this.open(row.id) },
      cells.map((cell, i) => h("td", { "data-name": COLUMNS[i][1] }, cell)),
    );
  }

  async open(id) {
    if (this.handle?.row.id === id) return;
    this.chosen = id;
    this.alike.of(id);
    const turn = (this.opening = (this.opening ?? 0) + 1);
    this.remember();
    this.handle?.close();
    this.handle = null;
    this.mark();
    this.panel.hidden = false;
    try {
      const row = this.rows.find((one) => one.id === id) ?? (await api.detection(this.ctx.place.id, id));
      const handle = await openClip(this.clip, row, this.ctx);
      if (turn !== this.opening) return handle.close(); // another was opened meanwhile
      this.handle = handle;
      if (matchMedia("(max-width: 60rem)").matches) this.panel.scrollIntoView({ block: "start" });
    } catch (error) {
      this.clip.replaceChildren(h("p", { class: "notice bad" }, error.message));
    }
    return undefined;
  }

  shut() {
    this.handle?.close();
    this.handle = null;
    this.panel.hidden = true;
    this.body.querySelector(`[data-id="${this.chosen}"] button`)?.focus();
    this.chosen = null;
    this.mark();
    this.remember();
  }

  mark() {
    for (const line of this.body.children) line.setAttribute("aria-selected", String(Number(line.dataset.id) === this.chosen));
  }

  /** Arrows go from row to row. */
  move(event) {
    const line = event.target.closest?.("tr[data-id]");
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!line || !step) return false;
    event.preventDefault();
    line[step]?.querySelector("button")?.focus();
    return true;
  }

  changed(row) {
    this.rows = this.rows.map((one) => (one.id === row.id ? row : one));
    const line = this.body.querySelector(`[data-id="${row.id}"]`);
    const focused = line?.contains(document.activeElement);
    line?.replaceWith(this.line(row));
    if (focused) this.body.querySelector(`[data-id="${row.id}"] button`).focus();
    if (this.handle?.row.id === row.id) {
      this.handle.row = row;
      this.clip.querySelector(".settled")?.replaceWith(settled(row));
    }
  }

  undone(row) {
    if (row) this.changed(row);
  }
}

function scoreBar(score) {
  return h("span", { class: "score-bar" }, h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: { width: `${100 * score}%` } })), format.score(score));
}

/** Microseconds of what the field for date and time holds, in the chosen zone. */
function microsecondsOf(text) {
  if (!text) return "";
  return String(new Date(format.zone() === "utc" ? `${text}Z` : text).getTime() * 1000);
}

function localOf(us) {
  if (!us) return "";
  return `${format.day(Number(us))}T${format.clock(Number(us))}`;
}
