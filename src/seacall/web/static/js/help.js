// What `?` shows: all keys, and what the words mean.

import { h } from "./dom.js";

const KEYS = [
  ["Everywhere", [["1 … 7", "the views, from left to right"], ["T", "UTC or local time"], ["D", "dark or light"], ["?", "this help"], ["Esc", "close"]]],
  ["Player", [["Space", "play, pause"], ["L", "loop the call"], ["[ ]", "slower, faster"], ["− +", "quieter, louder"]]],
  ["Detections", [["↑ ↓", "previous, next row"], ["Enter", "open the player"], ["A C R U Z", "accept, correct, reject, unsure, undo"]]],
  ["Review", [["A", "accept: the label is right"], ["C", "correct: it is another class"], ["R", "reject: none of the classes"], ["U", "unsure"], ["Z", "undo, any number of times"], ["N P", "next, previous without a verdict"]]],
];

const WORDS = [
  ["Score", "0 to 1, calibrated as the model's card says. Not the share of true detections: that is on the page Quality."],
  ["Effort", "How long was listened. An hour without effort says nothing about animals."],
  ["Expected false alarms", "Per hour of effort at a threshold: from reviewed detections where there are enough, else from the model's card."],
  ["Precision", "Share of detections that people accepted, with the interval that holds it 95 times in 100."],
];

export function showHelp() {
  const dialog = document.getElementById("help-text");
  if (dialog.open) {
    dialog.close();
    return;
  }
  dialog.replaceChildren(
    h("h2", { id: "help-title" }, "Keys and words"),
    h(
      "div",
      { class: "help-keys" },
      KEYS.map(([title, keys]) =>
        h("section", {}, h("h3", {}, title), h("dl", {}, keys.map(([key, text]) => h("div", {}, h("dt", {}, key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, text))))),
      ),
    ),
    h("dl", { class: "help-words" }, WORDS.map(([word, text]) => h("div", {}, h("dt", {}, word), h("dd", {}, text)))),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")),
  );
  dialog.showModal();
}
