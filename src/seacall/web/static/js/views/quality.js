// Quality: how often people agreed with the model, and with one another.

import * as api from "../api.js";
import { chip } from "../classes.js";
import { h } from "../dom.js";
import * as format from "../format.js";

export async function show(root, ctx) {
  const { rows: all, agreement } = await api.quality(ctx.place.id);
  const rows = all.filter((row) => row.n_reviewed > 0 || row.alarm);
  const alarms = rows.filter((row) => row.alarm);
  root.replaceChildren(
    h("h1", {}, "Quality"),
    ...alarms.map((row) => h("p", { class: "notice bad", role: "alert" }, "⚠ ", chip(row.label, ctx.place.labels), ` ${row.text || "is less precise than it was."}`)),
    rows.length ? table(rows, ctx) : h("p", { class: "notice" }, "Nothing is reviewed yet. ", h("a", { href: ctx.link("review") }, "Begin to review.")),
    h("h2", {}, "Agreement of reviewers"),
    ...agreementText(agreement ?? {}),
    h("p", {}, h("a", { class: "button", href: api.exported(ctx.place.id), download: "" }, "↓ Labels for Raven and training")),
  );
}

function table(rows, ctx) {
  const names = ["Class", "Reviewed", "Drawn by chance", "Precision", "Interval", "Expected", "What it says"];
  return h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: "rows quality" },
      h("caption", {}, "Share of the model's detections that are right, estimated from those that chance drew: what is picked because the model was unsure would tell too low a share. The bar is the interval that holds it 95 times in 100; the dashed line is what was expected"),
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", { class: row.alarm ? "alarm" : "" }, cells(row, ctx).map((cell, i) => h("td", { "data-name": names[i] }, cell))))),
    ),
  );
}

function cells(row, ctx) {
  const known = Number.isFinite(row.precision);
  return [
    chip(row.label, ctx.place.labels),
    row.n === undefined ? format.count(row.n_reviewed) : `${format.count(row.n_reviewed)} of ${format.count(row.n)}`,
    row.n_drawn === undefined ? "–" : format.count(row.n_drawn),
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

/** How far people say the same of the same detections. */
function agreementText({ n_shared = 0, share = null, alpha = null, kappas = {} }) {
  if (!n_shared) return [h("p", {}, "Known when two people have judged the same detections: ask for a second look in Review.")];
  const said = [
    ["Judged by several", format.plural(n_shared, "detection")],
    ["Same answer", share === null ? "–" : format.share(share)],
    ["Krippendorff's alpha", two(alpha)],
    ...Object.entries(kappas).map(([pair, kappa]) => [`Cohen's kappa, ${pair}`, two(kappa)]),
  ];
  return [h("dl", { class: "facts" }, said.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))), h("p", { class: "hint" }, "1: always the same; 0: no better than chance. Who was unsure is left out.")];
}

const two = (x) => (x === null ? "–" : x.toFixed(2).replace("-", "−"));
