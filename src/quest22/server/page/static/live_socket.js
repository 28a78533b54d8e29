// Sends audio to /live and receives events. After a lost connection it reconnects and resends the
// audio that was not committed: nothing is lost if the server is back within ten minutes.
import { address, authorization, refusal, Refused, socketAddress } from "./server.js";
import { recallKey } from "./memory.js";

const KEPT_S = 600;
const WAITS_S = [0.5, 1, 2, 4, 8];
const LAST_TRIES = 4;
const FORMAT = "s16le";

export class LiveSocket {
  /** `on` has: session(offsetS), event(event), state(name), refused(error, retryS), dropped(), end(whole). */
  constructor({ choices, rate, on }) {
    this.choices = choices;
    this.rate = rate;
    this.on = on;
    this.kept = []; // {at, samples}: audio since the last committed word; `at` counts samples
    this.taken = 0;
    this.sent = 0;
    this.committedS = 0;
    this.tries = 0;
    this.ending = false;
    this.over = false;
    this.#connect();
  }

  /** Seconds of audio waiting in this browser. */
  get waitingS() {
    const unsent = (this.taken - this.sent) / this.rate;
    return unsent + (this.socket?.bufferedAmount ?? 0) / 2 / this.rate;
  }

  /** Send the next audio, an Int16Array. */
  send(samples) {
    this.kept.push({ at: this.taken, samples });
    this.taken += samples.length;
    this.#forget();
    if (this.ready) this.#sendKept();
  }

  /** All text before this time is committed: drop its audio. */
  committed(endS) {
    this.committedS = endS;
  }

  /** End the audio: the last words follow, then `on.end`. */
  end() {
    this.ending = true;
    this.tries = 0;
    this.on.state("ending");
    if (this.ready) this.#sendEnd();
    else if (this.timer) this.#again(0);
  }

  /** Disconnect without waiting for the last words. */
  abandon() {
    clearTimeout(this.timer);
    if (this.over) return;
    this.over = true;
    this.socket?.close();
    this.on.end(false);
  }

  #connect() {
    this.timer = null;
    this.ready = false;
    this.opened = false;
    const values = { ...this.choices, format: FORMAT, rate: this.rate };
    const key = recallKey();
    const names = key ? ["quest22", `quest22.key.${key}`] : ["quest22"];
    const socket = new WebSocket(socketAddress("live", values), names);
    this.socket = socket;
    this.on.state(this.tries ? "lost" : "opening");
    socket.addEventListener("open", () => { this.opened = true; });
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    socket.addEventListener("close", () => { if (socket === this.socket) this.#closed(); });
  }

  #take(message) {
    if (this.over) return;
    if (message.type === "ready") this.#begin();
    else if (message.type === "end") this.finished = true;
    else if (message.type === "error") this.on.refused(new Refused(message.message, 500), null);
    else this.on.event(message);
  }

  #begin() {
    this.tries = 0;
    this.ready = true;
    this.finished = false;
    const from = this.kept.length ? this.kept[0].at : this.taken;
    this.sent = from;
    this.on.session(from / this.rate);
    this.on.state(this.ending ? "ending" : "open");
    this.#sendKept();
    if (this.ending) this.#sendEnd();
  }

  #sendKept() {
    let index = this.kept.length;
    while (index > 0 && this.kept[index - 1].at >= this.sent) index -= 1;
    for (const { at, samples } of this.kept.slice(index)) {
      this.socket.send(samples);
      this.sent = at + samples.length;
    }
  }

  #sendEnd() {
    this.socket.send(JSON.stringify({ type: "end" }));
  }

  #forget() {
    const committed = Math.floor(this.committedS * this.rate);
    const oldest = this.taken - KEPT_S * this.rate;
    let gone = 0;
    while (gone < this.kept.length) {
      const { at, samples } = this.kept[gone];
      const end = at + samples.length;
      if (end > committed && end > oldest) break;
      if (end > committed && at >= this.sent) this.on.dropped();
      gone += 1;
    }
    this.kept.splice(0, gone);
  }

  async #closed() {
    this.ready = false;
    if (this.over) return;
    if (this.ending && this.finished) {
      this.over = true;
      this.on.end(true);
      return;
    }
    this.#rewind();
    const error = this.opened ? new Refused("", 0) : await this.#why();
    if (this.over) return;
    if (!error.passing) {
      this.over = true;
      this.on.refused(error, null);
      this.on.end(false);
      return;
    }
    if (this.ending && this.tries >= LAST_TRIES) {
      this.over = true;
      this.on.end(false);
      return;
    }
    this.on.state("lost");
    const wait = error.retryS ?? WAITS_S[Math.min(this.tries, WAITS_S.length - 1)];
    this.on.refused(error, wait);
    this.tries += 1;
    this.#again(wait);
  }

  /** Resend the audio that was not committed. */
  #rewind() {
    this.#forget();
    const first = this.kept[0];
    const heard = first ? Math.floor(this.committedS * this.rate) - first.at : 0;
    if (heard > 0) this.kept[0] = { at: first.at + heard, samples: first.samples.slice(heard) };
    this.sent = this.kept.length ? this.kept[0].at : this.taken;
  }

  #again(seconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#connect(), 1000 * seconds);
  }

  /** Browsers hide why a handshake failed; a plain request to the same URL tells. */
  async #why() {
    const url = address("live");
    url.search = socketAddress("live", { ...this.choices, format: FORMAT, rate: this.rate }).search;
    try {
      const response = await fetch(url, { headers: authorization() });
      if (response.status === 426) return new Refused("", 0);
      return refusal(response.status, await response.text(), response.headers);
    } catch {
      return new Refused("", 0);
    }
  }
}
