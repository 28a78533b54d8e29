// Transcribes live speech: from the microphone to its transcript, over /live or WebRTC.
import { nameOf } from "./languages.js";
import { Level } from "./level.js";
import { LiveCall } from "./live_call.js";
import { LiveSocket } from "./live_socket.js";
import { LiveText } from "./live_text.js";
import { Microphone } from "./microphone.js";
import { Recording } from "./recording.js";
import { Refused } from "./server.js";
import { clock, language, number, onLanguage, say } from "./words.js";

const node = (id) => document.getElementById(id);
const FRESH_MS = 4000;

export class LiveWork {
  constructor(desk, choices, onChange) {
    this.desk = desk;
    this.choices = choices;
    this.onChange = onChange;
    this.level = new Level(node("level"));
    this.microphone = null;
    this.link = null;
    this.state = null;
    node("stop").addEventListener("click", () => this.stop());
    onLanguage(() => this.#showGauges());
  }

  get active() {
    return this.starting || this.link !== null;
  }

  async start() {
    if (this.active) return;
    const { desk } = this;
    this.starting = true;
    desk.notice.clear();
    this.#begin();
    try {
      this.microphone = await Microphone.open((each) => this.#hear(each), () => this.#unplugged());
      this.recording = new Recording(this.microphone.rate);
      this.#connect();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      await this.#close();
      desk.setEmpty("");
      node("work").hidden = true;
      desk.refuse(error);
    } finally {
      this.starting = false;
      this.onChange();
    }
  }

  #begin() {
    const { desk } = this;
    const began = new Date();
    const time = () => began.toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit" });
    const two = (value) => String(value).padStart(2, "0");
    const stem = `quest22-${began.getFullYear()}-${two(began.getMonth() + 1)}-${two(began.getDate())}`
      + `-${two(began.getHours())}${two(began.getMinutes())}`;
    desk.begin(() => say("live-title", { time: time() }), stem);
    desk.setEmpty("opening-empty");
    desk.view.live = true;
    this.level.clear();
    this.language = null;
    this.latencyMs = null;
    this.heardAt = 0;
    this.dropped = false;
    node("recorder").hidden = false;
    this.onChange();
    this.#showGauges();
  }

  #connect() {
    const { model, language: spoken, translate, connection } = this.choices();
    const text = new LiveText(
      (words) => this.#commit(words),
      (interim) => this.desk.view.showInterim(interim),
      () => this.desk.transcript.endSegment(),
    );
    const on = {
      session: (offset) => text.begin(offset),
      event: (event) => {
        this.#measure(event);
        text.take(event);
        this.link.committed(text.committedEnd);
      },
      words: (words) => this.#commit(words),
      segmentEnd: (end) => this.desk.transcript.endSegment(end),
      state: (name) => this.#changed(name),
      refused: (error, wait) => this.#refused(error, wait),
      dropped: () => this.#lostWords(),
      end: (whole) => this.#ended(whole),
    };
    const choices = { model, language: spoken, task: translate ? "translate" : "" };
    this.calls = connection === "webrtc";
    this.link = this.calls
      ? new LiveCall({ choices, stream: this.microphone.stream, on })
      : new LiveSocket({ choices, rate: this.microphone.rate, on });
  }

  #hear({ samples, peak }) {
    if (!this.recording) return;
    this.recording.add(samples);
    this.link?.send(samples);
    this.level.add(peak);
    this.#showGauges();
  }

  #commit(words) {
    if (this.desk.emptyKey) this.desk.setEmpty("");
    this.desk.append(words);
  }

  #measure(event) {
    if (event.language && event.words?.length) {
      this.language = event.language;
      this.desk.setLanguage(event.language);
    }
    if (event.words?.length && event.latency_ms !== null && event.type !== "final") {
      this.latencyMs = event.latency_ms;
      this.heardAt = performance.now();
    }
  }

  #changed(name) {
    this.state = name;
    // A call transcribes nothing until it is open; audio for the socket is kept.
    if (name === "opening") this.desk.setEmpty(this.calls ? "link-opening" : "link-empty");
    if (name === "open") this.desk.notice.clear("passing");
    if (name === "open" && this.desk.transcript.empty) this.desk.setEmpty("live-empty");
    this.#showGauges();
    this.onChange();
  }

  #refused(error, wait) {
    if (wait === null) this.desk.refuse(error);
    else if (error.retryS) this.desk.notice.show(say("full-retry", { seconds: Math.ceil(wait) }), "passing");
    else this.desk.notice.show(say("lost-retry"), "passing");
  }

  #lostWords() {
    if (this.dropped) return;
    this.dropped = true;
    this.desk.notice.show(say("lost-dropped"));
  }

  #unplugged() {
    this.desk.notice.show(say("mic-ended"));
    this.stop();
  }

  /** Stop the microphone and wait for the last words; a second press does not wait. */
  async stop() {
    if (!this.link) return;
    if (this.state === "ending" || this.stopping) {
      this.link.abandon();
      return;
    }
    this.stopping = true;
    if (this.link instanceof LiveCall) {
      this.link.end();
    } else {
      await this.microphone.close();
      this.link?.end();
    }
    this.onChange();
  }

  async #ended(whole) {
    const { recording } = this;
    await this.#close();
    const { desk } = this;
    desk.notice.clear("passing");
    if (recording?.samples) {
      const file = recording.file(`${desk.stem}.wav`);
      file.recorded = true;
      desk.play(file, { known: recording.duration, recorded: true });
      node("again").hidden = false;
    }
    desk.finish();
    if (!whole && node("notice").hidden) desk.notice.show(say("lost-end"));
    this.onChange();
  }

  async #close() {
    const { microphone } = this;
    this.microphone = null;
    this.recording = null;
    this.link = null;
    this.state = null;
    this.stopping = false;
    node("recorder").hidden = true;
    await microphone?.close();
  }

  #showGauges() {
    node("elapsed").textContent = clock(this.recording?.duration ?? 0);
    node("heard-language").textContent = this.language ? nameOf(this.language) : "–";
    node("link").textContent = this.state ? say(`link-${this.state}`) : "–";
    node("link").dataset.state = this.state ?? "";
    const fresh = performance.now() - this.heardAt < FRESH_MS ? (this.latencyMs ?? 0) / 1000 : 0;
    const behind = Math.max(fresh, this.link?.waitingS ?? 0);
    node("behind").textContent = this.link && (fresh || behind > 0.5)
      ? say("seconds", { value: number(behind, 1) }) : "–";
    node("behind").classList.toggle("far", behind > 3);
  }
}
