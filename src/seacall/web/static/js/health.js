// How a source is, in words, and what to do about it.

import { h } from "./dom.js";
import * as format from "./format.js";

const ADVICE = {
  late: "no sound arrives. Look at the cable, the network and the sender; seacall connects again by itself.",
  silent: "only silence arrives. Is the hydrophone, its preamplifier or its battery on? Is this the right channel?",
  clipped: "the sound is cut off at full scale. Turn down the gain of the recorder.",
  hum: "mains hum. Look at grounding, shielding and the power supply; a battery tells whether it is the mains.",
  dead: "far quieter than it used to be. The hydrophone may be broken, buried, or out of the water.",
  failed: "it cannot go on. See what happened below, mend it, and start seacall listen again.",
};
/** States that are no trouble. */
const CALM = { ended: "the recording is over; nothing more comes from it." };
const STALE_S = 30;

function statesOf(source) {
  const given = source.states ?? String(source.state ?? "ok").split(",");
  const states = [...given].map((one) => one.trim()).filter((one) => one && one !== "ok");
  if (source.failure && !states.includes("failed")) states.unshift("failed");
  if (source.alive === false && !states.length) states.push("late");
  return states;
}

/** All lines of a station: {bad, text}. */
export function lines(health, now_us = Date.now() * 1000) {
  const made = [];
  const stale = health.heartbeat_us ? (now_us - health.heartbeat_us) / 1e6 > STALE_S : true;
  if (health.alive === false || (health.alive === undefined && stale)) {
    const since = health.heartbeat_us ? ` for ${format.ago(health.heartbeat_us, now_us)}` : "";
    made.push({ bad: true, text: `Nobody is listening: seacall listen has given no sign of life${since}. Start it again, or ask: systemctl status seacall` });
    return made;
  }
  for (const source of health.sources ?? []) made.push(...ofSource(source));
  if (health.disk_free_bytes !== undefined && health.disk_free_bytes < 1e9) {
    made.push({ bad: true, text: `Disk nearly full: ${format.bytes(health.disk_free_bytes)} left. No sound of detections is kept below the limit; delete or move old files.` });
  }
  return made;
}

function ofSource(source) {
  const states = statesOf(source);
  const level = Number.isFinite(source.level_db) ? `, ${format.decibels(source.level_db, "dBFS")}` : "";
  if (!states.length) return [{ bad: false, text: `${source.name}: listening${level}` }];
  return states.map((state) => ({ bad: !CALM[state], text: `${source.name}: ${state} – ${CALM[state] ?? ADVICE[state] ?? (source.failure || "see what happened below.")}` }));
}

export function draw(root, health) {
  const made = lines(health).map(({ bad, text }) => h("li", { class: bad ? "bad" : "good" }, h("span", { "aria-hidden": "true" }, bad ? "⚠ " : "✓ "), text));
  const said = made.map((one) => one.textContent).join("\n");
  if (root.dataset.said === said) return; // screen readers need not hear it again
  root.dataset.said = said;
  root.replaceChildren(...made);
}
