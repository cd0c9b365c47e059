// Ticks of the axes beside a spectrogram: round numbers, few enough to be read.

import { h } from "./dom.js";

/** Round steps of 1, 2 or 5 so that at most `n` fit. */
export function roundStep(span, n) {
  const raw = span / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((f) => f * power).find((step) => step >= raw * 0.999);
}

/** Where a frequency lies, 0 at the bottom, 1 on top. */
export function place(hz, { low_hz, top_hz, scale }) {
  if (scale !== "log") return (hz - low_hz) / (top_hz - low_hz);
  const floor = Math.max(low_hz, top_hz / 1000);
  return Math.log(Math.max(hz, floor) / floor) / Math.log(top_hz / floor);
}

/** The frequency that lies there. */
export function frequency(at, { low_hz, top_hz, scale }) {
  if (scale !== "log") return low_hz + at * (top_hz - low_hz);
  const floor = Math.max(low_hz, top_hz / 1000);
  return floor * (top_hz / floor) ** at;
}

export function frequencyTicks(axis) {
  const { low_hz, top_hz, scale } = axis;
  if (scale !== "log") {
    const step = roundStep(top_hz - low_hz, 6);
    const first = Math.ceil(low_hz / step);
    return Array.from({ length: Math.floor(top_hz / step) - first + 1 }, (_, i) => (first + i) * step);
  }
  const made = [];
  for (let power = 10 ** Math.floor(Math.log10(top_hz / 1000)); power <= top_hz; power *= 10) {
    made.push(...[1, 2, 5].map((f) => f * power));
  }
  return made.filter((hz) => hz >= Math.max(low_hz, top_hz / 1000) && hz <= top_hz);
}

/** Fill an axis with frequencies: Hz below 2 kHz, else kHz. */
export function drawFrequencies(element, axis) {
  const small = axis.top_hz < 2000;
  const text = (hz) => String(Number((small ? hz : hz / 1000).toPrecision(4)));
  const ticks = frequencyTicks(axis).map((hz) =>
    h("span", { class: `tick${edge(place(hz, axis))}`, style: { bottom: `${100 * place(hz, axis)}%` } }, text(hz)),
  );
  element.replaceChildren(h("span", { class: "unit" }, small ? "Hz" : "kHz"), ...ticks);
}

/** Ticks at the ends stand inside. */
const edge = (at) => (at < 0.02 ? " first" : at > 0.98 ? " last" : "");

/** Fill an axis with times from `start` to `end`; `text` says what stands at each. */
export function drawTimes(element, start, end, text, n = 6) {
  const step = roundTime((end - start) / n);
  const ticks = [];
  for (let t = Math.ceil(start / step) * step; t <= end; t += step) {
    ticks.push(h("span", { class: `tick${edge((t - start) / (end - start))}`, style: { left: `${(100 * (t - start)) / (end - start)}%` } }, text(t, step)));
  }
  element.replaceChildren(...ticks);
}

function roundTime(s) {
  if (s < 1) return roundStep(s, 1);
  return [1, 2, 5, 10, 15, 30, 60, 120, 300].find((step) => step >= s) ?? 600;
}
