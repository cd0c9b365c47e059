// Review: one detection after another, a key for each verdict.

import * as api from "../api.js";
import { chip } from "../classes.js";
import { openClip } from "../clip.js";
import { field, h, say, select } from "../dom.js";
import * as format from "../format.js";
import { playerKeys } from "../keys.js";
import { Verdicts, reviewer, reviewerField } from "../verdicts.js";

const MOST_SKIPPED = 200;

export async function show(root, ctx) {
  const view = new Review(root, ctx);
  await view.begin();
  return () => view.close();
}

class Review {
  constructor(root, ctx) {
    Object.assign(this, { root, ctx, seen: [], at: -1, skipped: [], label: ctx.params.get("label") ?? "", moving: false });
  }

  async begin() {
    this.clip = h("div", { class: "clip big" });
    this.state = h("p", { class: "count", role: "status" });
    this.progress = h("div", { class: "progress-list" });
    this.verdicts = new Verdicts(this.ctx, { current: () => this.row, waiting: () => this.moving, onJudged: (row, verdict) => this.judged(row, verdict), onUndone: (row) => this.undone(row) });
    const classes = select([["", "all, balanced"], ...this.ctx.place.labels.map((l) => [l, format.named(l)])], this.label, (label) => this.only(label));
    this.root.replaceChildren(
      h("h1", {}, "Review"),
      h("div", { class: "controls" }, reviewerField(this.ctx, () => this.restart()), field("Classes", classes), field("Order", this.order()), this.autoplay(), h("a", { class: "button", href: api.exported(this.ctx.place.id), download: "" }, "↓ Labels for Raven and training")),
      h(
        "div",
        { class: "review-grid" },
        h("section", { "aria-label": "Detection" }, this.state, this.clip, this.verdicts.element, h("div", { class: "buttons" }, this.button("← Previous", "P", () => this.previous()), this.button("Next →", "N", () => this.next()))),
        h("section", { "aria-label": "Progress" }, h("h2", {}, "Progress"), this.progress),
      ),
    );
    const player = playerKeys(() => this.handle);
    this.onKey = (event) => this.verdicts.key(event) || this.walk(event) || player(event);
    addEventListener("keydown", this.onKey);
    if (!reviewer(this.ctx)) this.state.textContent = "Who are you? Your verdicts carry your name.";
    await this.next();
    if (!reviewer(this.ctx)) document.getElementById("reviewer").focus();
  }

  close() {
    removeEventListener("keydown", this.onKey);
    this.handle?.close();
  }

  /** Two people who judge the same can be compared. */
  order() {
    const options = [["", "not judged yet first"], ["true", "second look: judged by others first"]];
    return select(options, "", (value) => {
      this.double = value;
      this.restart();
    });
  }

  /** Whether each is played as soon as it is there. */
  autoplay() {
    this.box = h("input", { type: "checkbox", checked: this.ctx.recall("autoplay", "no") === "yes", onchange: () => this.ctx.remember("autoplay", this.box.checked ? "yes" : "no") });
    return h("label", { class: "check" }, this.box, " play each at once");
  }

  get row() {
    return this.seen[this.at] ?? null;
  }

  button(text, key, act) {
    return h("button", { type: "button", "aria-keyshortcuts": key, onclick: act }, text, " ", h("kbd", { "aria-hidden": "true" }, key));
  }

  walk(event) {
    const act = { n: () => this.next(), p: () => this.previous() }[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.target.closest("input, select")) return false;
    act();
    return true;
  }

  only(label) {
    this.label = label;
    this.ctx.keep({ label });
    this.restart();
  }

  restart() {
    Object.assign(this, { seen: [], at: -1, skipped: [] });
    this.next();
  }

  /** The next in what was seen, else the server says what is best looked at now. */
  next() {
    return this.alone(() => (this.at + 1 < this.seen.length ? this.go(this.at + 1) : this.fetch()));
  }

  /** One step at a time. */
  async alone(step) {
    if (this.moving) return;
    this.moving = true;
    try {
      await step();
    } catch (error) {
      say(error.message, { bad: true });
    } finally {
      this.moving = false;
    }
  }

  async fetch() {
    if (this.row && !this.row.judged) this.skipped = [...this.skipped, this.row.id].slice(-MOST_SKIPPED);
    const found = await api.next(this.ctx.place.id, { reviewer: reviewer(this.ctx) || "-", label: this.label, skip: this.skipped, double: this.double ?? "" });
    this.told = found;
    this.drawProgress(found.progress ?? []);
    if (!found.row) return this.done();
    this.seen.push({ ...found.row, by_chance: found.by_chance });
    await this.go(this.seen.length - 1);
    return undefined;
  }

  done() {
    this.handle?.close();
    this.handle = null;
    this.at = this.seen.length;
    this.state.textContent = "";
    const skipped = this.skipped.length ? ` ${format.plural(this.skipped.length, "detection")} were passed over.` : "";
    this.clip.replaceChildren(h("p", { class: "notice" }, `Nothing is left to review${this.label ? ` of ${format.named(this.label)}` : ""}.${skipped}`), h("p", {}, h("a", { href: this.ctx.link("quality") }, "See how good the model was")));
  }

  async previous() {
    if (this.at > 0) await this.alone(() => this.go(this.at - 1));
  }

  async go(at) {
    this.at = at;
    this.handle?.close();
    this.handle = null;
    this.verdicts.hide();
    const left = this.told?.left;
    this.state.textContent = Number.isFinite(left) ? `${format.plural(left, "detection")} left${this.row.by_chance ? " · drawn by chance: these tell the precision" : ""}` : "";
    this.handle = await openClip(this.clip, this.row, this.ctx, { height: Math.min(360, Math.max(200, innerHeight - 620)) });
    if (this.box.checked) this.handle.toggle();
  }

  judged(row, { verdict }) {
    say(`${{ accept: "Accepted", correct: "Corrected", reject: "Rejected", unsure: "Unsure" }[verdict]}: ${format.named(row.label)}`, { seconds: 3 });
    this.seen[this.at] = { ...row, judged: true };
    this.next();
  }

  /** Go back to the detection whose verdict was taken back. */
  undone(row) {
    if (!row) return;
    const known = this.seen.findIndex((one) => one.id === row.id);
    if (known >= 0) this.seen[known] = row;
    else this.seen.splice(Math.max(0, this.at), 0, row);
    this.count(row.label, -1);
    this.alone(() => this.go(known >= 0 ? known : Math.max(0, this.at)));
  }

  count(label, by) {
    const progress = (this.told?.progress ?? []).map((one) => (one.label === label ? { ...one, n_reviewed: Math.max(0, one.n_reviewed + by) } : one));
    if (this.told) this.told.left -= by;
    this.drawProgress(progress);
  }

  drawProgress(progress) {
    if (this.told) this.told.progress = progress;
    const lines = progress.map(({ label, n_reviewed, n }) =>
      h("li", {}, chip(label, this.ctx.place.labels), h("progress", { max: Math.max(1, n), value: n_reviewed, "aria-label": `${format.named(label)}: ${n_reviewed} of ${n} reviewed` }), h("span", {}, `${format.count(n_reviewed)} of ${format.count(n)}`)),
    );
    this.progress.replaceChildren(lines.length ? h("ul", {}, lines) : h("p", { class: "quiet" }, "No class has detections."));
  }
}
