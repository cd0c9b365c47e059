// Read the samples of a WAV file that the server sent: one channel, any sample rate.
// The browser's own decoder would resample them, and ultrasound would be lost.

const INTEGERS = { 8: 128, 16: 32768, 24: 8388608, 32: 2147483648 };

/** @returns {{samples: Float32Array, rate: number}} first channel, full scale is 1. */
export function readWav(buffer) {
  const view = new DataView(buffer);
  const tag = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 44 || tag(0) !== "RIFF" || tag(8) !== "WAVE") throw new Error("The server sent no WAV file.");
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    if (tag(at) === "fmt ") format = formatAt(view, at + 8);
    if (tag(at) === "data" && format) return { samples: samplesAt(view, at + 8, size, format), rate: format.rate };
    at += 8 + size + (size % 2);
  }
  throw new Error("The server sent a WAV file without sound.");
}

function formatAt(view, at) {
  const code = view.getUint16(at, true);
  const kind = code === 0xfffe ? view.getUint16(at + 24, true) : code;
  return { float: kind === 3, channels: view.getUint16(at + 2, true), rate: view.getUint32(at + 4, true), bits: view.getUint16(at + 14, true) };
}

function samplesAt(view, at, size, { float, channels, bits }) {
  const width = bits / 8;
  const n = Math.floor(Math.min(size, view.byteLength - at) / (width * channels));
  const read = reader(view, float, bits);
  return Float32Array.from({ length: n }, (_, i) => read(at + i * width * channels));
}

function reader(view, float, bits) {
  if (float && bits === 32) return (at) => view.getFloat32(at, true);
  if (float) return (at) => view.getFloat64(at, true);
  const full = INTEGERS[bits];
  if (bits === 8) return (at) => (view.getUint8(at) - 128) / full;
  if (bits === 16) return (at) => view.getInt16(at, true) / full;
  if (bits === 24) return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / full;
  return (at) => view.getInt32(at, true) / full;
}
