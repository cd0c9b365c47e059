// The live spectrogram: columns of bytes in a ring, drawn as they come, with boxes over it.

import { drawFrequencies, drawTimes, frequency, place } from "./axes.js";
import { look } from "./classes.js";
import { colours } from "./colourmaps.js";
import { h } from "./dom.js";
import { band, named, score } from "./format.js";

const ROWS = 256;

export class LiveSpectrogram {
  #keys = new Float64Array(0); // which column lies in each place of the ring
  #bytes = new Uint8Array(0);
  #newest = -Infinity;
  #boxes = new Map();
  #dirty = false;
  #frame = 0;

  /**
   * @param {{canvas, boxes, hz, time}} parts elements
   * @param {{seconds, scale, map, labels, clock, onOpen}} settings
   */
  constructor(parts, settings) {
    Object.assign(this, { parts, ...settings });
    this.ring = document.createElement("canvas");
    this.slowly = matchMedia("(prefers-reduced-motion: reduce)").matches ? 2000 : 0;
    this.last = 0;
    this.observer = new ResizeObserver(() => this.#touch());
    this.observer.observe(parts.canvas);
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** Take columns: {start_us | start_s, column_s, top_hz, n_bins, columns}. */
  push(message) {
    const { column_s, top_hz, n_bins } = message;
    if (column_s !== this.column_s || top_hz !== this.top_hz || n_bins !== this.n_bins) this.#begin(column_s, top_hz, n_bins);
    const bytes = Uint8Array.from(atob(message.columns), (c) => c.charCodeAt(0));
    const first = Math.round(timeOf(message) / column_s);
    const n = Math.floor(bytes.length / n_bins);
    if (first + n < this.#newest - 2 * this.#keys.length) this.#begin(column_s, top_hz, n_bins); // played again
    for (let i = 0; i < n; i++) this.#put(first + i, bytes.subarray(i * n_bins, (i + 1) * n_bins));
    this.#touch();
  }

  /** Show a detection, or what became of it. */
  detection(row) {
    const known = this.#boxes.get(row.id);
    const { css, shape } = look(row.label, this.labels);
    const box = known?.box ?? h("a", { class: `box ${css}`, onclick: (event) => (event.preventDefault(), this.onOpen(row.id)) });
    const text = `${named(row.label)} ${score(row.score)}`;
    box.href = `#${row.id}`;
    box.setAttribute("aria-label", `${text}, ${band(row.low_hz, row.high_hz)}`);
    box.replaceChildren(h("span", { class: "box-label" }, h("span", { "aria-hidden": "true" }, `${shape} `), `${score(row.score)} ${named(row.label)}`));
    if (!known) this.parts.boxes.append(box);
    this.#boxes.set(row.id, { row, box });
    this.#touch();
  }

  set look({ scale, map, seconds }) {
    const again = seconds !== this.seconds;
    Object.assign(this, { scale, map, seconds });
    if (again && this.column_s) this.#resize();
    this.#paintAll();
    this.#touch();
  }

  get nColumns() {
    return this.#keys.filter(Number.isFinite).length;
  }

  #begin(column_s, top_hz, n_bins) {
    Object.assign(this, { column_s, top_hz, n_bins });
    this.#keys = new Float64Array(0);
    for (const { box } of this.#boxes.values()) box.remove();
    this.#boxes.clear();
    this.#newest = -Infinity;
    this.#resize();
  }

  /** Keep what is there when the window of time changes. */
  #resize() {
    const before = [this.#keys, this.#bytes];
    const n = Math.ceil(this.seconds / this.column_s);
    this.#keys = new Float64Array(n).fill(-Infinity);
    this.#bytes = new Uint8Array(n * this.n_bins);
    this.ring.width = n;
    this.ring.height = ROWS;
    this.palette = colours(this.map);
    this.#rows();
    const kept = [...before[0]].map((key, i) => [key, i]).filter(([key]) => key > this.#newest - n).sort((a, b) => a[0] - b[0]);
    for (const [key, i] of kept) this.#put(key, before[1].subarray(i * this.n_bins, (i + 1) * this.n_bins));
  }

  /** Which bin each row of the picture shows, the top row first. */
  #rows() {
    this.binOf = Uint16Array.from({ length: ROWS }, (_, row) => {
      const hz = frequency((ROWS - row - 0.5) / ROWS, this.axis());
      return Math.min(this.n_bins - 1, Math.floor((hz / this.top_hz) * this.n_bins));
    });
  }

  axis() {
    return { low_hz: 0, top_hz: this.top_hz, scale: this.scale };
  }

  #put(key, column) {
    const n = this.#keys.length;
    if (key <= this.#newest - n) return;
    if (key > this.#newest && Number.isFinite(this.#newest)) this.#clear(this.#newest + 1, Math.min(key - this.#newest - 1, n));
    const slot = ((key % n) + n) % n;
    this.#keys[slot] = key;
    this.#bytes.set(column, slot * this.n_bins);
    this.#newest = Math.max(this.#newest, key);
    this.#paint(slot);
  }

  /** Time without sound is left open: the hatched ground shows. */
  #clear(first, n) {
    const size = this.#keys.length;
    for (let key = first; key < first + n; key++) {
      const slot = ((key % size) + size) % size;
      this.#keys[slot] = -Infinity;
      this.ring.getContext("2d").clearRect(slot, 0, 1, ROWS);
    }
  }

  #paint(slot) {
    const image = new ImageData(1, ROWS);
    for (let row = 0; row < ROWS; row++) {
      const value = 3 * this.#level(slot, row);
      image.data.set([this.palette[value], this.palette[value + 1], this.palette[value + 2], 255], 4 * row);
    }
    this.ring.getContext("2d").putImageData(image, slot, 0);
  }

  #level(slot, row) {
    const byte = this.#bytes[slot * this.n_bins + this.binOf[row]];
    const [low, high] = this.range ?? [0, 255];
    return Math.round((255 * Math.min(Math.max(byte - low, 0), high - low)) / Math.max(1, high - low));
  }

  /** Stretch the colours over what is heard: from the quiet tenth to the loudest. */
  stretch() {
    const seen = this.#bytes.filter((_, i) => i % 7 === 0 && Number.isFinite(this.#keys[Math.floor(i / this.n_bins)])).sort();
    if (seen.length < 50) return;
    const low = seen[Math.floor(seen.length * 0.2)];
    this.range = [low, Math.max(seen[Math.floor(seen.length * 0.999)], low + 40)];
    this.#paintAll();
    this.#touch();
  }

  #paintAll() {
    if (!this.column_s) return;
    this.palette = colours(this.map);
    this.#rows();
    this.#keys.forEach((key, slot) => Number.isFinite(key) && this.#paint(slot));
  }

  #touch() {
    if (this.#dirty) return;
    this.#dirty = true;
    const draw = () => (this.#frame = requestAnimationFrame(() => this.#draw()));
    const early = this.last + this.slowly - performance.now();
    if (early > 0) setTimeout(draw, early);
    else draw();
  }

  #draw() {
    this.#dirty = false;
    this.last = performance.now();
    if (!this.column_s || !Number.isFinite(this.#newest)) return;
    const { canvas } = this.parts;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const n = this.#keys.length;
    const oldest = (((this.#newest + 1) % n) + n) % n; // the ring is cut here
    const pen = canvas.getContext("2d");
    const width = canvas.width / n;
    pen.imageSmoothingEnabled = false;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (n > oldest) pen.drawImage(this.ring, oldest, 0, n - oldest, ROWS, 0, 0, (n - oldest) * width, canvas.height);
    if (oldest > 0) pen.drawImage(this.ring, 0, 0, oldest, ROWS, (n - oldest) * width, 0, oldest * width, canvas.height);
    const end = (this.#newest + 1) * this.column_s;
    this.#placeBoxes(end - n * this.column_s, end);
    drawFrequencies(this.parts.hz, this.axis());
    drawTimes(this.parts.time, end - n * this.column_s, end, this.clock, canvas.clientWidth < 500 ? 3 : 6);
  }

  #placeBoxes(start, end) {
    for (const [id, { row, box }] of this.#boxes) {
      const t = timeOf(row);
      const t_end = t + Math.max(row.end_s - row.start_s, 0.05);
      if (t_end < start) {
        box.remove();
        this.#boxes.delete(id);
        continue;
      }
      const left = Math.max(0, (t - start) / (end - start));
      const right = Math.min(1, (t_end - start) / (end - start));
      box.hidden = left >= 1;
      const low = place(row.low_hz, this.axis());
      const high = Math.min(1, place(row.high_hz, this.axis()));
      Object.assign(box.style, { left: `${100 * left}%`, width: `${100 * Math.max(0.004, right - left)}%`, bottom: `${100 * low}%`, height: `${100 * Math.max(0.02, high - low)}%` });
      box.classList.toggle("leftwards", left > 0.75);
      box.classList.toggle("inside", high > 0.93); // no room above
    }
  }
}

/** Seconds: since 1970, or where the sound has no date, from its start. */
export function timeOf(one) {
  return one.start_us === null || one.start_us === undefined ? one.start_s : one.start_us / 1e6;
}
