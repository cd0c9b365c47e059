// How classes are told apart: by colour, by shape, by the line round a box, and by name.

import { h } from "./dom.js";
import { named } from "./format.js";

/** One shape for each of the seven colours of css/page.css (Okabe and Ito, 2008). */
const SHAPES = ["●", "▲", "■", "◆", "▼", "★", "✚"];
const N_LINES = 3;

/** Of a label: colour by its place in the list; shape and line go on with each round. */
export function look(label, labels) {
  let at = labels.indexOf(label);
  if (at < 0) at = labels.length + [...label].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 9973, 7);
  const round = Math.floor(at / SHAPES.length);
  return { css: `c${at % SHAPES.length} line${round % N_LINES}`, shape: SHAPES[(at + round) % SHAPES.length] };
}

export function chip(label, labels) {
  const { css, shape } = look(label, labels);
  return h("span", { class: `chip ${css}`, title: label }, h("span", { "aria-hidden": "true" }, shape), " ", named(label));
}

const SETTLED = {
  accepted: ["✓", "accepted"],
  corrected: ["✎", "corrected"],
  rejected: ["✕", "rejected"],
  unsure: ["?", "unsure"],
  disputed: ["⚖", "disputed"],
};

/** What people said of a detection, as a sign and a word. */
export function settled(row) {
  const [sign, word] = SETTLED[row.settled] ?? ["○", "not reviewed"];
  const to = row.settled === "corrected" && row.verdicts?.length ? corrected(row) : "";
  return h("span", { class: `settled ${row.settled ?? "open"}` }, h("span", { "aria-hidden": "true" }, sign), ` ${word}${to}`);
}

function corrected(row) {
  const last = row.verdicts.findLast((one) => one.verdict === "correct");
  return last ? ` to ${named(last.label)}` : "";
}
