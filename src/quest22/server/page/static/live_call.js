// Live speech over WebRTC with OpenAI's Realtime API: audio as a track, events over a data channel.
// That protocol has no interim text: words arrive once they are committed.
import { address, authorization, refusal, Refused } from "./server.js";
import { say } from "./words.js";

const OPENS_S = 15;
const LAST_WORDS_S = 30;
const SETTLED_S = 1.5;
const UNDERWAY_MS = 400;
const ITEM = "conversation.item.input_audio_transcription";

export class LiveCall {
  /** `on` has: words(words), segmentEnd(endS), state(name), refused(error, retryS), end(whole). */
  constructor({ choices, stream, on }) {
    this.choices = choices;
    this.stream = stream;
    this.on = on;
    this.items = new Map(); // id → {startS, endS, text}
    this.heard = 0;
    this.over = false;
    this.opening = this.#open().catch((error) => this.#fail(
      error instanceof Refused ? error : new Refused(say("no-call"), 400)));
  }

  get waitingS() {
    return 0;
  }

  send() {
    // The track carries the audio.
  }

  committed() {
    // Nothing to keep: a lost call is not resumed.
  }

  async #open() {
    this.on.state("opening");
    const call = new RTCPeerConnection();
    this.call = call;
    for (const track of this.stream.getTracks()) call.addTrack(track, this.stream);
    const channel = call.createDataChannel("oai-events");
    this.channel = channel;
    channel.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    channel.addEventListener("open", () => {
      clearTimeout(this.timer);
      this.on.state(this.ending ? "ending" : "open");
    });
    channel.addEventListener("close", () => this.#lost());
    call.addEventListener("connectionstatechange", () => {
      if (call.connectionState === "failed") this.#lost();
    });
    this.timer = setTimeout(() => this.#fail(new Refused(say("no-call"), 400)), 1000 * OPENS_S);
    await call.setLocalDescription(await call.createOffer());
    await gathered(call);
    const answer = await this.#negotiated(call.localDescription.sdp);
    if (!this.over) await call.setRemoteDescription({ type: "answer", sdp: answer });
  }

  async #negotiated(sdp) {
    const { model, language } = this.choices;
    const transcription = language ? { model, language } : { model };
    const session = { type: "transcription", audio: { input: { transcription, turn_detection: { type: "server_vad" } } } };
    const form = new FormData();
    form.append("sdp", sdp);
    form.append("session", JSON.stringify(session));
    let response;
    try {
      response = await fetch(address("v1/realtime/calls"), { method: "POST", headers: authorization(), body: form });
    } catch {
      throw new Refused(say("unreachable"), 400);
    }
    const body = await response.text();
    if (!response.ok) throw refusal(response.status, body, response.headers);
    return body;
  }

  #take(event) {
    const id = event.item_id;
    if (event.type === "input_audio_buffer.speech_started") {
      this.#item(id).startS = event.audio_start_ms / 1000;
    } else if (event.type === "input_audio_buffer.speech_stopped") {
      this.#item(id).endS = event.audio_end_ms / 1000;
    } else if (event.type === `${ITEM}.delta`) {
      this.#say(this.#item(id), event.delta);
    } else if (event.type === `${ITEM}.completed`) {
      this.#complete(id, event.transcript);
    } else if (event.type === `${ITEM}.failed`) {
      this.#complete(id, "");
    } else if (event.type === "input_audio_buffer.committed" && this.ending) {
      this.#item(id);
      this.committedAll = true;
    } else if (event.type === "error" && this.ending) {
      this.committedAll = true; // there was nothing to commit
    }
    this.#settle();
  }

  #item(id) {
    if (!this.items.has(id)) this.items.set(id, { startS: null, endS: null, text: "" });
    return this.items.get(id);
  }

  #complete(id, transcript) {
    const item = this.#item(id);
    const said = item.text.trimStart();
    if (transcript.startsWith(said)) this.#say(item, transcript.slice(said.length));
    this.items.delete(id);
    if (item.text) this.on.segmentEnd(item.endS);
  }

  #say(item, text) {
    const pieces = text.match(/\s*\S+/g) ?? [];
    const words = pieces.map((each, index) => ({
      text: !item.text && index === 0 && !/^\s/.test(each) ? ` ${each}` : each,
      start: !item.text && index === 0 ? item.startS : null,
      end: null,
    }));
    item.text += text;
    if (words.length) this.on.words(words);
  }

  end() {
    if (this.over) return;
    this.ending = true;
    this.on.state("ending");
    for (const track of this.stream.getTracks()) track.enabled = false;
    setTimeout(() => this.#finish(true), 1000 * LAST_WORDS_S);
    setTimeout(() => this.#commit(), UNDERWAY_MS);
  }

  abandon() {
    this.#finish(false);
  }

  /** Finalize what was said so far. */
  #commit() {
    if (this.channel?.readyState === "open") {
      this.channel.send(JSON.stringify({ type: "input_audio_buffer.commit" }));
    } else {
      this.committedAll = true;
      this.#settle();
    }
  }

  /** The last words have arrived once nothing has been open for a while. */
  #settle() {
    clearTimeout(this.settling);
    if (!this.ending || !this.committedAll || this.items.size) return;
    this.settling = setTimeout(() => this.#finish(true), 1000 * SETTLED_S);
  }

  #lost() {
    if (this.over) return;
    if (!this.ending) this.on.refused(new Refused(say("lost-call"), 400), null);
    this.#finish(false);
  }

  #fail(error) {
    if (this.over) return;
    this.on.refused(error, null);
    this.#finish(false);
  }

  #finish(whole) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.settling);
    this.call?.close();
    this.on.end(whole);
  }
}

/** Wait until all addresses are gathered, or enough of them. */
function gathered(call) {
  if (call.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, 2000);
    call.addEventListener("icegatheringstatechange", () => {
      if (call.iceGatheringState === "complete") resolve();
    });
  });
}
