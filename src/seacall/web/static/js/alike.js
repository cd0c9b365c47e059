// More like this: what sounds most like the chosen detection, by embeddings that were kept.

import * as api from "./api.js";
import { chip } from "./classes.js";
import { h } from "./dom.js";
import * as format from "./format.js";

const MOST = 20;

export class Alike {
  /** @param open Opens a detection by its id. */
  constructor(ctx, open) {
    Object.assign(this, { ctx, open, asked: 0 });
    this.button = h("button", { type: "button", class: "alike-button", onclick: () => this.find() }, "More like this");
    this.list = h("div", { class: "alike", "aria-live": "polite" });
    // A station keeps no embeddings.
    this.element = h("section", { "aria-label": "More like this", hidden: ctx.place.kind !== "archive" }, this.button, this.list);
  }

  /** Say which detection is meant. */
  of(id) {
    this.id = id;
    this.asked += 1;
    this.list.replaceChildren();
  }

  async find() {
    const asked = ++this.asked;
    this.list.replaceChildren(h("p", { class: "quiet" }, "Searching …"));
    try {
      const { rows } = await api.like(this.ctx.place.id, this.id, MOST);
      if (asked === this.asked) this.draw(rows.filter((row) => row.id !== this.id));
    } catch (error) {
      if (asked === this.asked) this.list.replaceChildren(h("p", { class: "notice bad" }, error.message));
    }
  }

  draw(rows) {
    if (!rows.length) return this.list.replaceChildren(h("p", { class: "quiet" }, "Nothing else is in the index."));
    return this.list.replaceChildren(
      h("p", { class: "hint" }, "The most alike first; how alike, from 0 to 1."),
      h("ol", {}, rows.map((row) => h("li", {}, format.score(row.similarity), " ", this.named(row), " ", chip(row.label, this.ctx.place.labels)))),
    );
  }

  /** A detection can be opened; a stretch that was none is only named. */
  named(row) {
    if (row.id === null) return h("span", { title: row.source }, `${format.when(row)}, not detected`);
    return h("button", { type: "button", class: "link", title: row.source, onclick: () => this.open(row.id) }, format.when(row));
  }
}
