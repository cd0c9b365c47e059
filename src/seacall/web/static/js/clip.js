// The player: waveform and spectrogram of a detection's sound, its box, and the controls.

import WaveSurfer from "../vendor/wavesurfer/wavesurfer.esm.js";
import Regions from "../vendor/wavesurfer/regions.esm.js";
import Spectrogram from "../vendor/wavesurfer/spectrogram.esm.js";
import * as api from "./api.js";
import { drawFrequencies, drawTimes, place } from "./axes.js";
import { chip, look, settled } from "./classes.js";
import { fractions } from "./colourmaps.js";
import { field, h, select } from "./dom.js";
import * as format from "./format.js";
import { ClipPlayer, SPEEDS, audibleSpeed, comfortableGain } from "./player.js";
import { readWav } from "./wav.js";

/** The server's Content-Security-Policy knows wavesurfer's style by this height. */
const WAVE_HEIGHT = 64;
const AROUND_S = 1;
const RANGES = [30, 40, 55, 70, 90];

/**
 * Show a detection's sound in `root`.
 * @returns a handle: toggle, toggleLoop, faster, louder, close.
 */
export async function openClip(root, row, ctx, { height = 240 } = {}) {
  root.replaceChildren(heading(row, ctx), h("p", { class: "quiet" }, "Loading the sound …"));
  if (!row.has_sound) return withoutSound(root, row, ctx, "The sound of this detection was not kept, or the recording is not there.");
  let found;
  try {
    const { bytes, start_s } = await api.sound(ctx.place.id, row.id, { before_s: AROUND_S, after_s: AROUND_S });
    found = { ...readWav(bytes), start_s };
  } catch (error) {
    return withoutSound(root, row, ctx, error.message);
  }
  return new Clip(root, row, ctx, found, height);
}

function withoutSound(root, row, ctx, text) {
  root.replaceChildren(heading(row, ctx), h("p", { class: "notice", role: "status" }, `No sound: ${text}`), facts(row));
  const nothing = () => {};
  return { row, toggle: nothing, toggleLoop: nothing, faster: nothing, louder: nothing, close: nothing };
}

function heading(row, ctx) {
  return h(
    "div",
    { class: "clip-head" },
    h("h3", {}, chip(row.label, ctx.place.labels), h("span", { class: "score-big", title: "score, 0 to 1" }, ` ${format.score(row.score)}`)),
    h("p", { class: "quiet" }, format.when(row), row.start_us === null ? "" : ` ${format.zoneName()}`, " · ", h("span", { class: "source" }, row.source)),
    h("p", {}, settled(row)),
  );
}

function facts(row) {
  const said = [
    ["Band", format.band(row.low_hz, row.high_hz)],
    ["Length", format.seconds(row.end_s - row.start_s)],
    ["Above noise", format.decibels(row.snr_db)],
    ["Level", format.decibels(row.level_db, row.level_unit || "dB")],
    ["Channel", row.channel === 0 ? "all" : String(row.channel ?? "–")],
    ...Object.entries(row.environment ?? {}).map(([name, value]) => [name, reading(value)]),
  ];
  const marks = row.marks?.length ? h("p", { class: "notice" }, "⚠ The sound near it had trouble: ", row.marks.join(", ")) : null;
  return h("div", {}, marks, h("dl", { class: "facts" }, said.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

const reading = (value) => (typeof value === "number" ? String(Number(value.toPrecision(5))) : typeof value === "object" ? JSON.stringify(value) : String(value));

class Clip {
  constructor(root, row, ctx, { samples, rate, start_s }, height) {
    Object.assign(this, { root, row, ctx, samples, rate, height, start_s });
    this.duration = samples.length / rate;
    this.call = { start_s: Math.max(0, row.start_s - start_s), end_s: Math.min(this.duration, row.end_s - start_s) };
    this.player = new ClipPlayer(samples, rate);
    this.player.speed = audibleSpeed(row.low_hz, row.high_hz);
    this.gain_db = comfortableGain(samples);
    this.player.gain_db = this.gain_db;
    this.zoomed = ctx.recall("clip.band", row.high_hz < rate / 16 ? "call" : "all") === "call";
    this.player.addEventListener("timeupdate", () => this.moveCursor());
    for (const name of ["play", "pause", "ended"]) this.player.addEventListener(name, () => this.showState());
    this.draw();
  }

  draw() {
    this.wave = h("div", { class: "wave" });
    this.stage = h("div", { class: "stage" });
    this.ticks = h("div", { class: "axis-hz", "aria-hidden": "true" });
    this.times = h("div", { class: "axis-time", "aria-hidden": "true" });
    this.cursor = h("div", { class: "cursor" });
    const box = h("div", { class: `box ${look(this.row.label, this.ctx.place.labels).css}` }, h("span", { class: "box-label" }, look(this.row.label, this.ctx.place.labels).shape));
    this.box = box;
    this.root.replaceChildren(
      heading(this.row, this.ctx),
      h("div", { class: "plot" }, this.ticks, h("div", { class: "plot-main" }, this.stage, this.times, this.wave)),
      this.controls(),
      facts(this.row),
    );
    this.drawSound();
  }

  axis() {
    const top = this.rate / 2;
    if (!this.zoomed) return { low_hz: 0, top_hz: top, scale: "linear" };
    const span = Math.max(this.row.high_hz - this.row.low_hz, this.row.high_hz / 4, top / 200);
    return { low_hz: Math.max(0, this.row.low_hz - span), top_hz: Math.min(top, this.row.high_hz + span), scale: "linear" };
  }

  drawSound() {
    this.surfer?.destroy();
    const axis = this.axis();
    const style = getComputedStyle(document.documentElement);
    const map = this.ctx.recall("map", "viridis");
    this.stage.replaceChildren(this.box, this.cursor);
    this.surfer = WaveSurfer.create({
      container: this.wave,
      height: WAVE_HEIGHT,
      media: this.player,
      peaks: [this.samples],
      duration: this.duration,
      waveColor: style.getPropertyValue("--wave"),
      progressColor: style.getPropertyValue("--accent"),
      cursorColor: style.getPropertyValue("--ink"),
      normalize: true,
      plugins: [this.spectrogram(axis, map)],
    });
    const regions = this.surfer.registerPlugin(Regions.create());
    this.surfer.on("ready", () =>
      regions.addRegion({ start: this.call.start_s, end: this.call.end_s, drag: false, resize: false, color: style.getPropertyValue("--region") }),
    );
    drawFrequencies(this.ticks, axis);
    drawTimes(this.times, 0, this.duration, (t, step) => `${t.toFixed(step < 1 ? 1 : 0)} s`);
    this.placeBox(axis);
    this.moveCursor();
  }

  spectrogram(axis, map) {
    const size = this.fftSize(axis);
    // Two columns a pixel are enough, and hours of them are not computed.
    const hop = Math.min(size, Math.max(size / 8, Math.ceil(this.samples.length / (2 * Math.max(300, this.stage.clientWidth)))));
    return Spectrogram.create({
      container: this.stage,
      height: this.height,
      fftSamples: size,
      noverlap: Math.floor(size - hop),
      windowFunc: "hann",
      scale: "linear",
      frequencyMin: axis.low_hz,
      frequencyMax: axis.top_hz,
      autoGain: true,
      rangeDB: Number(this.ctx.recall("range", 70)),
      labels: false,
      colorMap: fractions(map),
    });
  }

  /** About 256 lines in what is shown; short beside the clip, whose ends it blurs. */
  fftSize(axis) {
    const wanted = (256 * this.rate) / Math.max(1, axis.top_hz - axis.low_hz);
    const most = Math.min(16_384, this.samples.length / 32);
    return 2 ** Math.max(5, Math.floor(Math.log2(Math.min(Math.max(wanted, 512), Math.max(most, 32)))));
  }

  placeBox(axis) {
    const low = Math.max(0, place(this.row.low_hz, axis));
    const high = Math.min(1, place(this.row.high_hz, axis));
    const percent = (x) => `${100 * x}%`;
    const { start_s, end_s } = this.call;
    Object.assign(this.box.style, {
      left: percent(start_s / this.duration),
      width: percent((end_s - start_s) / this.duration),
      bottom: percent(low),
      height: percent(Math.max(0.01, high - low)),
    });
    this.box.setAttribute("title", `${format.named(this.row.label)}, ${format.band(this.row.low_hz, this.row.high_hz)}`);
  }

  controls() {
    const gain = h("input", { type: "range", "aria-label": "Gain, dB", min: 0, max: 60, step: 1, value: this.gain_db, oninput: (event) => this.setGain(Number(event.target.value)) });
    this.gainInput = gain;
    this.gainText = h("output", {}, `+${this.gain_db} dB`);
    this.playButton = h("button", { type: "button", class: "primary", onclick: () => this.toggle() }, "▶ Play");
    this.loopButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggleLoop() }, "⟲ Loop the call");
    this.speedSelect = select(SPEEDS.map((s) => [s, speedName(s)]), this.player.speed, (value) => this.setSpeed(Number(value)));
    this.speedNote = h("span", { class: "quiet" }, this.heardAt());
    const band = select([["all", "whole band"], ["call", "around the call"]], this.zoomed ? "call" : "all", (value) => this.setBand(value));
    return h(
      "div",
      { class: "controls", role: "group", "aria-label": "Player" },
      this.playButton,
      this.loopButton,
      field("Speed", this.speedSelect),
      field("Gain", h("span", { class: "with-output" }, gain, this.gainText)),
      field("Frequencies", band),
      field("Colours over", select(RANGES.map((db) => [db, `${db} dB`]), this.ctx.recall("range", 70), (db) => this.setRange(db))),
      this.speedNote,
    );
  }

  heardAt() {
    const { speed } = this.player;
    if (speed === 1) return "";
    const low = this.row.low_hz * speed;
    const high = this.row.high_hz * speed;
    return `${speed < 1 ? "Slowed" : "Speeded up"}: the call is heard at ${format.band(low, high)}.`;
  }

  setSpeed(speed) {
    this.player.speed = speed;
    this.speedSelect.value = String(speed);
    this.speedNote.textContent = this.heardAt();
  }

  setBand(value) {
    this.zoomed = value === "call";
    this.ctx.remember("clip.band", value);
    this.drawSound();
  }

  setRange(db) {
    this.ctx.remember("range", db);
    this.drawSound();
  }

  setGain(db) {
    this.gain_db = Math.min(60, Math.max(0, db));
    this.player.gain_db = this.gain_db;
    this.gainInput.value = this.gain_db;
    this.gainText.textContent = `+${this.gain_db} dB`;
  }

  toggle() {
    if (!this.player.paused) return this.player.pause();
    return this.player.play().catch((error) => this.ctx.say(`No sound: ${error.message}`, { bad: true }));
  }

  toggleLoop() {
    this.looping = !this.looping;
    this.player.loop = this.looping ? this.call : null;
    this.loopButton.setAttribute("aria-pressed", String(this.looping));
  }

  faster(step) {
    const at = SPEEDS.indexOf(this.player.speed) + step;
    if (SPEEDS[at]) this.setSpeed(SPEEDS[at]);
  }

  louder(db) {
    this.setGain(this.gain_db + db);
  }

  showState() {
    this.playButton.textContent = this.player.paused ? "▶ Play" : "❚❚ Pause";
  }

  moveCursor() {
    this.cursor.style.left = `${(100 * this.player.currentTime) / this.duration}%`;
  }

  close() {
    this.surfer?.destroy();
    this.player.close();
  }
}

function speedName(s) {
  if (s === 1) return "as recorded";
  return s < 1 ? `1/${1 / s} (slower, lower)` : `${s}× (faster, higher)`;
}
