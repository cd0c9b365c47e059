// Play samples of any sample rate, at any speed, in a loop, louder: a media element for
// wavesurfer. Slowed sound falls in pitch, as on tape: that is how ultrasound is heard.

const LOWEST_RATE = 8000;
const HIGHEST_RATE = 96_000;
const TICK_MS = 40;

export class ClipPlayer extends EventTarget {
  src = "";
  currentSrc = "";
  volume = 1;
  muted = false;
  seeking = false;
  autoplay = false;
  controls = false;
  paused = true;
  ended = false;
  readyState = 4;
  #context = null;
  #node = null;
  #gain = null;
  #gain_db = 0;
  #speed = 1;
  #at = 0;
  #since = 0;
  #loop = null;
  #ticking = 0;

  /** @param {Float32Array} samples @param {number} rate Hz, as recorded */
  constructor(samples, rate) {
    super();
    this.duration = samples.length / rate;
    // Browsers refuse buffers of very low and very high rates; those are played faster.
    const bufferRate = Math.min(Math.max(rate, LOWEST_RATE), HIGHEST_RATE);
    this.factor = rate / bufferRate;
    this.buffer = new AudioBuffer({ length: Math.max(1, samples.length), numberOfChannels: 1, sampleRate: bufferRate });
    this.buffer.copyToChannel(samples, 0);
  }

  get playbackRate() {
    return 1; // wavesurfer's clock: the speed is ours
  }

  set playbackRate(_) {}

  get currentTime() {
    if (this.paused || !this.#context) return this.#at;
    return this.#wrapped(this.#at + (this.#context.currentTime - this.#since) * this.#speed);
  }

  set currentTime(s) {
    const playing = !this.paused;
    if (playing) this.#stop();
    this.#at = Math.min(Math.max(0, s), this.duration);
    this.#tell("seeking");
    this.#tell("timeupdate");
    this.#tell("seeked");
    if (playing) this.#start();
  }

  get speed() {
    return this.#speed;
  }

  set speed(factor) {
    const at = this.currentTime;
    this.#speed = factor;
    this.currentTime = at;
  }

  set gain_db(db) {
    this.#gain_db = db;
    if (this.#gain) this.#gain.gain.value = 10 ** (db / 20);
  }

  /** Play a stretch again and again: {start_s, end_s}; null: to the end, once. */
  set loop(stretch) {
    const at = this.currentTime;
    this.#loop = stretch;
    this.currentTime = stretch && (at < stretch.start_s || at >= stretch.end_s) ? stretch.start_s : at;
  }

  async play() {
    if (!this.paused) return;
    this.#context ??= new AudioContext();
    await this.#context.resume();
    if (this.#at >= this.duration - 0.001) this.#at = 0;
    this.paused = false;
    this.ended = false;
    this.#start();
    this.#tell("play");
    this.#tell("playing");
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  pause() {
    if (this.paused) return;
    this.#at = this.currentTime;
    this.#stop();
    this.paused = true;
    clearInterval(this.#ticking);
    this.#tell("pause");
    this.#tell("timeupdate");
  }

  /** Give back the sound device. */
  close() {
    this.pause();
    this.#context?.close();
    this.#context = null;
  }

  load() {}
  remove() {}
  setAttribute() {}
  removeAttribute() {}
  canPlayType() {
    return "";
  }

  #wrapped(s) {
    if (!this.#loop || s < this.#loop.end_s) return s;
    const { start_s, end_s } = this.#loop;
    return start_s + ((s - start_s) % Math.max(0.001, end_s - start_s));
  }

  #start() {
    this.#node = this.#context.createBufferSource();
    this.#node.buffer = this.buffer;
    this.#node.playbackRate.value = this.factor * this.#speed;
    if (this.#loop) {
      // Times of a buffer count at its own rate.
      this.#node.loop = true;
      this.#node.loopStart = this.#loop.start_s * this.factor;
      this.#node.loopEnd = this.#loop.end_s * this.factor;
    }
    this.#gain ??= new GainNode(this.#context);
    this.#gain.connect(this.#context.destination);
    this.gain_db = this.#gain_db;
    this.#node.connect(this.#gain);
    this.#since = this.#context.currentTime;
    this.#node.start(0, this.#at * this.factor);
  }

  #stop() {
    this.#node?.stop();
    this.#node?.disconnect();
    this.#node = null;
  }

  #tick() {
    if (!this.#loop && this.currentTime >= this.duration) {
      this.pause();
      this.#at = this.duration;
      this.ended = true;
      this.#tell("ended");
    }
    this.#tell("timeupdate");
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}

export const SPEEDS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16];

/** The speed at which a call of this band is best heard: between 200 Hz and 8 kHz. */
export function audibleSpeed(low_hz, high_hz) {
  const centre = Math.sqrt(Math.max(low_hz, 1) * Math.max(high_hz, 1));
  if (centre > 12_000) return SPEEDS.findLast((s) => centre * s <= 8000) ?? SPEEDS[0];
  if (centre < 60) return SPEEDS.find((s) => centre * s >= 200) ?? SPEEDS.at(-1);
  return 1;
}

/** Decibels that bring the loudest sample 3 dB below full scale; 0 to 40. */
export function comfortableGain(samples) {
  const peak = samples.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
  return Math.min(40, Math.max(0, Math.round(-3 - 20 * Math.log10(peak))));
}
