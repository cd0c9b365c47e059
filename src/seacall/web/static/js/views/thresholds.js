// Thresholds: for each class, what a threshold costs in false alarms and detections.

import * as api from "../api.js";
import { chip } from "../classes.js";
import { h, say } from "../dom.js";
import * as format from "../format.js";

const BASIS = {
  reviewed: "from reviewed detections of this place",
  card: "from the model's card: this place may differ",
  none: "not known: review some detections, or use a model that was measured",
};

export async function show(root, ctx) {
  const found = (await api.thresholds(ctx.place.id)).rows;
  const rows = found.toSorted((a, b) => most(b) - most(a)); // what was heard comes first
  const list = h("div", { class: "cards" }, rows.map((row) => h("section", { class: "card" }, card(row, ctx))));
  root.replaceChildren(
    h("h1", {}, "Thresholds"),
    h("p", { class: "quiet" }, "Detections below a class's threshold are hidden in the lists and in Presence. Nothing is deleted; a lower threshold brings them back, down to what was stored."),
    rows.length ? list : h("p", { class: "notice" }, "There are no classes here yet."),
  );
}

const most = (row) => Math.max(0, ...row.points.map((one) => one.n));

/** What is known at a threshold: at a point, or on the line between two. */
function pointAt(points, threshold) {
  const below = points.findLast((one) => one.threshold <= threshold + 1e-9);
  const above = points.find((one) => one.threshold > threshold + 1e-9);
  if (!below) return { ...points[0], exact: true }; // nothing was kept below
  if (!above || threshold - below.threshold < 1e-6) return { ...below, exact: threshold - below.threshold < 1e-6 };
  const x = (threshold - below.threshold) / (above.threshold - below.threshold);
  const mix = (name) => (below[name] === null || above[name] === null ? null : below[name] + x * (above[name] - below[name]));
  return { n: Math.round(mix("n")), per_hour: mix("per_hour"), exact: false };
}

function card(row, ctx) {
  const chosen = row.threshold ?? row.default;
  const id = `threshold-${row.label}`;
  const slider = h("input", { id, type: "range", min: 0, max: 1, step: 0.01, value: chosen });
  const number = h("input", { type: "number", min: 0, max: 1, step: 0.01, value: Number(chosen).toFixed(2), "aria-label": `Threshold of ${format.named(row.label)}, as a number` });
  const text = h("p", { class: "effect", role: "status" });
  const saved = h("span", { class: "quiet" });
  const save = h("button", { type: "button", class: "primary" }, "Save");
  const reset = h("button", { type: "button" }, `Model's own (${Number(row.default).toFixed(2)})`);
  const draw = () => {
    const at = Number(slider.value);
    slider.setAttribute("aria-valuetext", at.toFixed(2));
    text.replaceChildren(...effect(row, at));
    save.disabled = Math.abs(at - (row.threshold ?? row.default)) < 1e-9;
    saved.textContent = save.disabled ? (row.threshold === null ? "in force: the model's own" : "in force: yours") : "not saved";
  };
  const keep = (threshold) => async () => {
    try {
      const answer = await api.setThreshold(ctx.place.id, row.label, threshold);
      Object.assign(row, answer.rows.find((one) => one.label === row.label));
      const now = row.threshold ?? row.default;
      number.value = Number(now).toFixed(2);
      slider.value = now;
      draw();
      say(`Threshold of ${format.named(row.label)}: ${Number(now).toFixed(2)}`);
    } catch (error) {
      say(`Not saved: ${error.message}`, { bad: true });
    }
  };
  slider.addEventListener("input", () => ((number.value = Number(slider.value).toFixed(2)), draw()));
  number.addEventListener("input", () => ((slider.value = number.value), draw()));
  save.addEventListener("click", () => keep(Number(slider.value))());
  reset.addEventListener("click", keep(null));
  draw();
  return [h("h2", {}, chip(row.label, ctx.place.labels)), h("div", { class: "slider" }, h("label", { for: id, class: "hidden" }, `Threshold of ${format.named(row.label)}`), slider, number), text, h("div", { class: "buttons" }, save, reset, saved), h("p", { class: "hint" }, `False alarms: ${BASIS[row.basis] ?? BASIS.none}.`)];
}

function effect(row, at) {
  const all = most(row);
  if (!all) return ["No detections of this class yet."];
  const { n, per_hour, exact } = pointAt(row.points, at);
  const alarms = per_hour === null ? "false alarms per hour not known" : `about ${rateText(per_hour)}`;
  return [h("strong", {}, alarms), h("br"), `${exact ? "" : "about "}${format.count(n)} of ${format.plural(all, "detection")} shown, ${format.count(all - n)} hidden`];
}

/** Small rates are better said per day. */
function rateText(per_hour) {
  if (per_hour >= 0.1 || per_hour === 0) return `${format.rough(per_hour)} false alarms per hour`;
  return `${format.rough(24 * per_hour)} false alarms per day (${format.rough(per_hour)} per hour)`;
}
