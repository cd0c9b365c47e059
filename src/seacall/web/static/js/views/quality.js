// Quality: how often people agreed with the model, and with one another.

import * as api from "../api.js";
import { chip } from "../classes.js";
import { h } from "../dom.js";
import * as format from "../format.js";

export async function show(root, ctx) {
  const { rows, agreement } = await api.quality(ctx.place.id);
  const alarms = rows.filter((row) => row.alarm);
  root.replaceChildren(
    h("h1", {}, "Quality"),
    ...alarms.map((row) => h("p", { class: "notice bad", role: "alert" }, "⚠ ", chip(row.label, ctx.place.labels), ` ${row.text || "is less precise than it was."}`)),
    rows.length ? table(rows, ctx) : h("p", { class: "notice" }, "Nothing is reviewed yet. ", h("a", { href: ctx.link("review") }, "Begin to review.")),
    h("h2", {}, "Agreement of reviewers"),
    ...agreementText(agreement ?? {}),
    h("p", {}, h("a", { class: "button", href: api.exported(ctx.place.id), download: "" }, "⭳ Labels for Raven and training")),
  );
}

function table(rows, ctx) {
  const names = ["Class", "Reviewed", "Precision", "Interval", "Expected", "What it says"];
  return h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: "rows quality" },
      h("caption", {}, "Share of the model's detections that people accepted; the bar is the interval that holds it 95 times in 100"),
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", { class: row.alarm ? "alarm" : "" }, cells(row, ctx).map((cell, i) => h("td", { "data-name": names[i] }, cell))))),
    ),
  );
}

function cells(row, ctx) {
  const known = Number.isFinite(row.precision);
  return [
    chip(row.label, ctx.place.labels),
    format.count(row.n_reviewed),
    known ? h("strong", {}, format.share(row.precision)) : "–",
    known ? interval(row) : h("span", { class: "quiet" }, "too few"),
    Number.isFinite(row.expected_precision) ? format.share(row.expected_precision) : "–",
    h("span", {}, row.alarm ? h("strong", { class: "bad" }, "⚠ dropped: ") : "", row.text ?? ""),
  ];
}

function interval(row) {
  const percent = (x) => `${100 * x}%`;
  const marks = [
    h("span", { class: "range", style: { left: percent(row.low), width: percent(row.high - row.low) } }),
    h("span", { class: "point", style: { left: percent(row.precision) } }),
    Number.isFinite(row.expected_precision) ? h("span", { class: "expected", title: "expected", style: { left: percent(row.expected_precision) } }) : null,
  ];
  return h("span", { class: "interval" }, h("span", { class: "interval-bar", "aria-hidden": "true" }, marks), h("span", {}, `${(100 * row.low).toFixed(0)}–${format.share(row.high)}`));
}

/** Words first, then whatever figures there are. */
function agreementText(agreement) {
  const { text, ...figures } = agreement;
  const said = Object.entries(figures).filter(([, value]) => ["number", "string"].includes(typeof value));
  const list = said.map(([name, value]) => h("div", {}, h("dt", {}, format.named(name)), h("dd", {}, typeof value === "number" ? String(Number(value.toPrecision(3))) : value)));
  return [h("p", {}, text ?? (said.length ? "" : "Agreement is known when two people have reviewed the same detections.")), h("dl", { class: "facts" }, list)];
}
