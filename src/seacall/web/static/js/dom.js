// Make elements. Text becomes text, never markup: names and labels come from strangers.

/**
 * An element with attributes, listeners (`onclick`), classes and children.
 * `style` is an object that is set property by property, which the page's policy allows.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([k, v]) => element.style.setProperty(k, v));
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A field with its label; the label belongs to the field by its id. */
let fields = 0;
export function field(text, input, hint = "") {
  input.id = input.id || `field-${++fields}`;
  const label = h("label", { for: input.id }, text);
  const note = hint && h("small", { id: `${input.id}-hint`, class: "hint" }, hint);
  if (note) input.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, label, input, note || null);
}

export function select(options, value, onchange) {
  const made = options.map(([key, text]) => h("option", { value: key, selected: String(key) === String(value) }, text));
  return h("select", { onchange: (event) => onchange?.(event.target.value) }, made);
}

/** Say something to everybody: on the screen for a while, and to screen readers. */
export function say(text, { bad = false, seconds = 6 } = {}) {
  const place = document.getElementById(bad ? "alerts" : "notes");
  const note = h("p", { class: bad ? "toast bad" : "toast" }, bad ? "⚠ " : "", text);
  place.append(note);
  setTimeout(() => note.remove(), (bad ? 2 : 1) * seconds * 1000);
}

/** Whether keys belong to what has the focus: one types there. */
export function isTyping(target) {
  return target.closest("input:not([type=range]):not([type=checkbox]), select, textarea, [contenteditable], dialog") !== null;
}
