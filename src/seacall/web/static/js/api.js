// Ask the server; every failure is an error with one line in words.

export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

const WORDS = {
  401: "This page needs its token: open the address that `seacall serve` printed, token included.",
  403: "The server refused: open the page by the address that `seacall serve` printed.",
  413: "Too large for this server.",
  503: "The server is busy; try again in a moment.",
};

async function ask(method, path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused("The server does not answer: is `seacall serve` still running?", 0);
  }
  if (!answer.ok) throw new Refused(await reason(answer), answer.status);
  return answer;
}

async function reason(answer) {
  const told = await answer.json().catch(() => null);
  const detail = Array.isArray(told?.detail) ? told.detail.map((d) => d.msg).join("; ") : told?.detail;
  return (answer.status === 401 && WORDS[401]) || detail || WORDS[answer.status] || `The server answered ${answer.status}.`;
}

const json = async (...args) => (await ask(...args)).json();

/** A path under /api with parameters; empty ones are left out. */
export function path(parts, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== null && one !== undefined) query.append(name, one);
    }
  }
  const text = query.toString();
  return `/api/${parts.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export const about = () => json("GET", "/api/about");
export const places = () => json("GET", "/api/places");

const of = (place, parts, parameters) => path(["places", place, ...parts], parameters);

export const detections = (place, query) => json("GET", of(place, ["detections"], query));
export const detection = (place, id) => json("GET", of(place, ["detections", id]));
export const presence = (place, query) => json("GET", of(place, ["presence"], query));
export const thresholds = (place) => json("GET", of(place, ["thresholds"]));
export const setThreshold = (place, label, threshold) => json("PUT", of(place, ["thresholds"]), { label, threshold });
export const health = (place) => json("GET", of(place, ["health"]));
export const events = (place, limit = 50) => json("GET", of(place, ["events"], { limit }));
export const like = (place, id, n) => json("GET", of(place, ["like"], { id, n }));
export const next = (place, query) => json("GET", of(place, ["next"], query));
export const quality = (place) => json("GET", of(place, ["quality"]));
export const judge = (place, id, verdict) => json("POST", of(place, ["detections", id, "verdicts"]), verdict);
export const undo = (place, reviewer) => json("DELETE", of(place, ["verdicts", "last"], { reviewer }));
export const exported = (place) => of(place, ["labels.zip"]);
export const job = (id) => json("GET", path(["jobs", id]));

/** The sound of a detection as the bytes of a WAV file, and where it begins. */
export async function sound(place, id, around = {}) {
  const answer = await ask("GET", of(place, ["detections", id, "sound.wav"], around));
  return { bytes: await answer.arrayBuffer(), start_s: Number(answer.headers.get("X-Start-Seconds") ?? 0) };
}

export function liveAddress(place, source) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${of(place, ["live"], { source })}`;
}
