// Say what a detection is: the four verdicts, the class it should be, undo.

import * as api from "./api.js";
import { h, isTyping } from "./dom.js";
import { named } from "./format.js";

const VERDICTS = [
  ["accept", "a", "✓", "Accept", "the label is right"],
  ["correct", "c", "✎", "Correct", "it is another class"],
  ["reject", "r", "✕", "Reject", "none of the classes: a false alarm"],
  ["unsure", "u", "?", "Unsure", "cannot be told"],
];

/** The reviewer's name, kept in this browser. */
export const reviewer = (ctx) => ctx.recall("reviewer", "").trim();

export function reviewerField(ctx, onchange) {
  const input = h("input", { id: "reviewer", type: "text", autocomplete: "name", maxlength: 60, required: true, placeholder: "your name or initials", value: reviewer(ctx) });
  input.addEventListener("change", () => {
    ctx.remember("reviewer", input.value.trim());
    onchange?.();
  });
  return h("div", { class: "field" }, h("label", { for: "reviewer" }, "Reviewer"), input);
}

export class Verdicts {
  /**
   * @param {() => object|null} current the row that is judged
   * @param {(row, verdict) => void} onJudged gets the row as it now is
   * @param {(row|null) => void} onUndone
   * @param {() => boolean} waiting whether the next is not shown yet
   */
  constructor(ctx, { current, onJudged, onUndone, waiting = () => false }) {
    Object.assign(this, { ctx, current, onJudged, onUndone, waiting, busy: false });
    this.corrector = h("div", { class: "corrector", hidden: true });
    this.element = h(
      "div",
      { class: "verdicts" },
      h(
        "div",
        { class: "buttons", role: "group", "aria-label": "Verdict" },
        VERDICTS.map(([verdict, key, sign, text, hint]) =>
          h("button", { type: "button", class: verdict, title: hint, "aria-keyshortcuts": key.toUpperCase(), onclick: () => this.act(verdict) }, h("span", { "aria-hidden": "true" }, `${sign} `), text, " ", h("kbd", { "aria-hidden": "true" }, key.toUpperCase())),
        ),
        h("button", { type: "button", title: "take back the last verdict", "aria-keyshortcuts": "Z", onclick: () => this.undo() }, h("span", { "aria-hidden": "true" }, "↶ "), "Undo ", h("kbd", { "aria-hidden": "true" }, "Z")),
      ),
      this.corrector,
    );
  }

  /** Act on a key; tells whether it was one of ours. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
    const key = event.key.toLowerCase();
    const found = VERDICTS.find(([, letter]) => letter === key);
    if (!found && key !== "z") return false;
    event.preventDefault();
    if (found) this.act(found[0]);
    else this.undo();
    return true;
  }

  act(verdict) {
    if (!this.current() || this.waiting()) return;
    if (verdict === "correct") this.correct();
    else this.judge({ verdict });
  }

  async judge(verdict) {
    const row = this.current();
    if (!row || this.busy || this.waiting() || !this.named()) return;
    await this.alone(async () => {
      const now = await api.judge(this.ctx.place.id, row.id, { reviewer: reviewer(this.ctx), ...verdict });
      this.hide();
      this.onJudged(now, verdict);
    });
  }

  async undo() {
    if (this.busy || this.waiting() || !this.named()) return;
    await this.alone(async () => {
      const { row } = await api.undo(this.ctx.place.id, reviewer(this.ctx));
      this.ctx.say(row ? `Taken back: ${named(row.label)}` : "There is nothing to take back.");
      this.onUndone(row);
    });
  }

  /** One request at a time: a key that is held down judges one detection. */
  async alone(act) {
    this.busy = true;
    try {
      await act();
    } catch (error) {
      this.ctx.say(`Not kept: ${error.message}`, { bad: true });
    } finally {
      this.busy = false;
    }
  }

  named() {
    if (reviewer(this.ctx)) return true;
    this.ctx.say("Say who you are first: verdicts carry the reviewer's name.", { bad: true });
    document.getElementById("reviewer")?.focus();
    return false;
  }

  hide() {
    this.corrector.hidden = true;
  }

  /** Ask for the right class: type a part of its name, arrows, Enter. */
  correct() {
    if (!this.named()) return;
    const choose = (label) => {
      this.hide();
      this.judge({ verdict: "correct", label });
    };
    this.corrector.replaceChildren(combobox(this.ctx.place.labels, choose, () => this.hide()));
    this.corrector.hidden = false;
    this.corrector.querySelector("input").focus();
    this.corrector.scrollIntoView({ block: "nearest" });
  }
}

/** A field with a list under it, as WAI-ARIA describes it (combobox, list autocomplete). */
function combobox(labels, onChoose, onCancel) {
  let at = 0;
  let shown = [];
  const list = h("ul", { id: "classes", role: "listbox", "aria-label": "Classes" });
  const input = h("input", { id: "right-class", type: "text", role: "combobox", autocomplete: "off", "aria-expanded": "true", "aria-controls": "classes", "aria-autocomplete": "list" });
  const draw = () => {
    const typed = input.value.trim();
    const part = typed.toLowerCase().replaceAll("_", " ");
    shown = labels.filter((label) => named(label).toLowerCase().includes(part)).map((label) => [label, named(label)]);
    if (typed && !labels.some((label) => named(label).toLowerCase() === part)) shown.push([typed, `a class that the model does not know: “${typed}”`]);
    at = Math.min(at, Math.max(0, shown.length - 1));
    list.replaceChildren(...shown.map(([label, text], i) => h("li", { id: `class-${i}`, role: "option", "aria-selected": String(i === at), onpointerdown: (event) => (event.preventDefault(), onChoose(label)) }, text)));
    input.setAttribute("aria-activedescendant", shown.length ? `class-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    ArrowDown: () => (at = (at + 1) % Math.max(1, shown.length)),
    ArrowUp: () => (at = (at + shown.length - 1) % Math.max(1, shown.length)),
    Enter: () => shown[at] && onChoose(shown[at][0]),
    Escape: onCancel,
  };
  input.addEventListener("input", () => ((at = 0), draw()));
  input.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
    draw();
  });
  draw();
  return h("div", {}, h("label", { for: "right-class" }, "It is"), input, list);
}
