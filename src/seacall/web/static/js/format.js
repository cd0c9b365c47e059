// Numbers and times as people read them, with their units.

const zones = { utc: "UTC", local: undefined };

export const zone = () => localStorage.getItem("seacall.zone") ?? "utc";
export const zoneName = () => (zone() === "utc" ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone);

/** The parts of a time in the chosen zone: year, month, day, hour, minute, second. */
export function parts(us) {
  const made = new Intl.DateTimeFormat("en-GB", {
    timeZone: zones[zone()],
    hourCycle: "h23",
    ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  }).formatToParts(new Date(us / 1000));
  return Object.fromEntries(made.map((part) => [part.type, part.value]));
}

export function day(us) {
  const p = parts(us);
  return `${p.year}-${p.month}-${p.day}`;
}

export function clock(us) {
  const p = parts(us);
  return `${p.hour}:${p.minute}:${p.second}`;
}

/** 2026-03-01 14:05:09; without a date in the recording, seconds from its start. */
export function when(row) {
  return row.start_us === null ? `at ${seconds(row.start_s)}` : `${day(row.start_us)} ${clock(row.start_us)}`;
}

export function seconds(s) {
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export function hours(s) {
  return s < 3600 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(s < 36_000 ? 1 : 0)} h`;
}

export function hertz(hz) {
  if (hz < 1000) return `${hz < 100 ? hz.toPrecision(2) : Math.round(hz)} Hz`;
  return `${(hz / 1000).toFixed(hz < 10_000 ? 2 : 1)} kHz`;
}

export function band(low, high) {
  if (low >= 1000) return `${hertz(low).replace(" kHz", "")}–${hertz(high)}`;
  return `${hertz(low)} – ${hertz(high)}`;
}

export const decibels = (db, unit = "dB") => (Number.isFinite(db) ? `${db.toFixed(1).replace("-", "−")} ${unit}` : "–");
export const share = (x) => `${(100 * x).toFixed(0)} %`;
export const count = (n) => n.toLocaleString("en-GB").replaceAll(",", "\u202f");
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
/** Two digits, never with an exponent. */
export const rough = (x) => (Math.abs(x) >= 100 ? count(Math.round(x)) : String(Number(x.toPrecision(2))));
export const score = (x) => x.toFixed(2);

/** Labels are often written with underscores, which is hard to read. */
export const named = (label) => label.replaceAll("_", " ");

export function bytes(n) {
  const steps = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
  const found = steps.find(([, size]) => n >= size);
  return found ? `${Number((n / found[1]).toFixed(n / found[1] < 10 ? 1 : 0))} ${found[0]}` : `${n} B`;
}

/** How long ago, in words. */
export function ago(us, now = Date.now() * 1000) {
  const s = Math.max(0, (now - us) / 1e6);
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 129_600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} days`;
}
