// A WebSocket that comes back: it says how it is, waits longer each time, and rests while
// nobody looks.

const WAITS_S = [1, 2, 4, 8, 15, 30];

export class LiveSocket {
  #socket = null;
  #tries = 0;
  #timer = 0;
  #closed = false;

  /**
   * @param {() => string} address
   * @param {(message: object) => void} onMessage
   * @param {(state: string, text: string) => void} onState "connecting", "open", "waiting", "paused"
   */
  constructor(address, onMessage, onState) {
    Object.assign(this, { address, onMessage, onState });
    this.watch = () => (document.hidden ? this.#pause() : this.connect());
    document.addEventListener("visibilitychange", this.watch);
    this.connect();
  }

  connect() {
    this.#drop();
    if (this.#closed) return;
    this.onState("connecting", "Connecting …");
    const socket = new WebSocket(this.address());
    this.#socket = socket;
    socket.onopen = () => {
      this.#tries = 0;
      this.onState("open", "Connected");
    };
    socket.onmessage = (event) => this.onMessage(JSON.parse(event.data));
    socket.onclose = () => this.#wait();
  }

  close() {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.watch);
    this.#drop();
  }

  #pause() {
    this.#drop();
    this.onState("paused", "Paused while this page is not in view");
  }

  #drop() {
    clearTimeout(this.#timer);
    if (this.#socket) {
      this.#socket.onclose = null;
      this.#socket.onmessage = null;
      this.#socket.close();
      this.#socket = null;
    }
  }

  #wait() {
    const wait_s = WAITS_S[Math.min(this.#tries++, WAITS_S.length - 1)];
    const due = Date.now() + wait_s * 1000;
    const count = () => {
      const left = Math.ceil((due - Date.now()) / 1000);
      if (left <= 0) return this.connect();
      this.onState("waiting", `Connection lost; trying again in ${left} s`);
      this.#timer = setTimeout(count, 500);
      return undefined;
    };
    count();
  }
}
