// Upload: recordings from this computer, dropped or chosen; they become a place.

import * as api from "../api.js";
import { h } from "../dom.js";
import * as format from "../format.js";

const POLL_MS = 700;

export function show(root, ctx) {
  const view = new Upload(ctx);
  view.begin(root);
  return () => (view.left = true);
}

class Upload {
  constructor(ctx) {
    Object.assign(this, { ctx, queue: [], working: false, left: false });
  }

  begin(root) {
    this.list = h("ul", { class: "uploads", "aria-live": "polite" });
    const input = h("input", { id: "files", type: "file", multiple: true, accept: "audio/*,.wav,.flac,.aif,.aiff,.mp3,.ogg,.w64,.caf,.au", onchange: () => (this.add(input.files), (input.value = "")) });
    const limit = this.ctx.about.max_upload_bytes;
    const zone = h("div", { class: "drop" }, h("p", { class: "drop-text" }, "Drop recordings here"), h("p", {}, "or ", h("label", { for: "files", class: "button" }, "choose files"), input), h("p", { class: "quiet" }, `WAV, FLAC, AIFF, MP3, OGG …${limit ? `, up to ${format.bytes(limit)} each` : ""}. They stay on the computer that runs seacall serve.`));
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => (event.preventDefault(), zone.classList.add("over")));
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, (event) => (event.preventDefault(), zone.classList.remove("over")));
    zone.addEventListener("drop", (event) => this.add(event.dataTransfer.files));
    root.replaceChildren(h("h1", {}, "Upload"), zone, this.list);
  }

  add(files) {
    for (const file of files) {
      const bar = h("progress", { max: 1, value: 0, "aria-label": `Progress of ${file.name}` });
      const text = h("span", { class: "upload-state", role: "status" }, "waiting");
      const line = h("li", {}, h("b", {}, file.name), ` (${format.bytes(file.size)}) `, bar, text);
      this.list.prepend(line);
      this.queue.push({ file, bar, text, line });
    }
    this.work();
  }

  async work() {
    if (this.working) return;
    this.working = true;
    while (this.queue.length) {
      const one = this.queue.shift();
      try {
        await this.one(one);
      } catch (error) {
        this.tell(one, `⚠ ${error.message}`, "bad");
      }
    }
    this.working = false;
  }

  async one(one) {
    const limit = this.ctx.about.max_upload_bytes;
    if (limit && one.file.size > limit) throw new Error(`${format.bytes(one.file.size)} is more than the ${format.bytes(limit)} that this server takes: cut the recording, or run seacall detect on it.`);
    const { job } = await this.send(one);
    this.follow(one, job); // the next is sent while this one is analysed
  }

  /** XMLHttpRequest, because fetch does not say how much was sent. */
  send({ file, bar, text }) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", api.path(["uploads"], { name: file.name }));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.responseType = "json";
      request.upload.onprogress = (event) => {
        bar.value = (0.5 * event.loaded) / Math.max(1, event.total);
        text.textContent = `sending, ${format.bytes(event.loaded)}`;
      };
      request.onerror = () => reject(new Error("The connection broke off; nothing was kept. Try again."));
      request.onload = () => (request.status < 300 && request.response?.job !== undefined ? resolve(request.response) : reject(new Error(request.response?.detail ?? `The server answered ${request.status}.`)));
      request.send(file);
    });
  }

  async follow(one, id) {
    try {
      for (;;) {
        const job = await api.job(id);
        one.bar.value = 0.5 + 0.5 * (job.progress ?? 0);
        if (job.state === "failed") return this.tell(one, `⚠ ${job.error ?? "It could not be analysed."}`, "bad");
        if (job.state === "done") return await this.finish(one, job);
        this.tell(one, job.state === "waiting" ? "waiting its turn" : "listening to it");
        if (this.left) return undefined;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    } catch (error) {
      return this.tell(one, `⚠ ${error.message}`, "bad");
    }
  }

  async finish(one, { place, name }) {
    one.bar.value = 1;
    await this.ctx.refresh();
    one.text.className = "upload-state good";
    const query = { source: name }; // as it was kept: odd signs are replaced
    one.text.replaceChildren("✓ done: ", h("a", { href: this.ctx.link("detections", query, place) }, "see what was found"), " or ", h("a", { href: this.ctx.link("review", {}, place) }, "review it"));
  }

  tell(one, text, css = "") {
    one.text.className = `upload-state ${css}`;
    one.text.textContent = text;
  }
}
