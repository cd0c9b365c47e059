// The keys of the player, the same wherever there is one.

import { isTyping } from "./dom.js";

/** A listener; `handle()` gives the clip that is open, if one is. */
export function playerKeys(handle) {
  return (event) => {
    const clip = handle();
    if (!clip || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const onButton = event.target.closest("button, a, summary, [role=option]");
    const keys = {
      " ": () => clip.toggle(),
      l: () => clip.toggleLoop(),
      "[": () => clip.faster(-1),
      "]": () => clip.faster(1),
      "+": () => clip.louder(3),
      "-": () => clip.louder(-3),
    };
    const act = keys[event.key.toLowerCase()];
    if (!act || (event.key === " " && onButton)) return;
    event.preventDefault();
    act();
  };
}
