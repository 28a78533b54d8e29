// Opens the microphone, captures it in an audio thread, and closes it.
import { Refused } from "./server.js";
import { say } from "./words.js";

const RATE_HZ = 16000;

const FAULTS = {
  NotAllowedError: "mic-denied",
  SecurityError: "mic-denied",
  NotFoundError: "mic-none",
  OverconstrainedError: "mic-none",
};

export class Microphone {
  /** Open it; `onSound({samples, peak})` is called ten times a second, `onLost` if it is unplugged. */
  static async open(onSound, onLost) {
    if (!navigator.mediaDevices || !window.isSecureContext) throw new Refused(say("mic-insecure"), 400);
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: true },
      });
    } catch (error) {
      throw new Refused(say(FAULTS[error.name] ?? "mic-busy"), 400);
    }
    const microphone = new Microphone(stream);
    try {
      await microphone.#listen(onSound, onLost);
    } catch (error) {
      await microphone.close();
      throw error;
    }
    return microphone;
  }

  constructor(stream) {
    this.stream = stream;
  }

  get rate() {
    return this.context.sampleRate;
  }

  async #listen(onSound, onLost) {
    const source = this.#source();
    await this.context.audioWorklet.addModule(new URL("./capture.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => (data.flushed ? this.flushed?.() : onSound(data));
    source.connect(this.node);
    await this.context.resume();
    this.stream.getAudioTracks()[0].addEventListener("ended", onLost);
  }

  /** Some browsers cannot resample a microphone: then the server does. */
  #source() {
    this.context = new AudioContext({ sampleRate: RATE_HZ });
    try {
      return this.context.createMediaStreamSource(this.stream);
    } catch {
      this.context.close();
      this.context = new AudioContext();
      return this.context.createMediaStreamSource(this.stream);
    }
  }

  /** Deliver the last samples, then close. */
  async close() {
    if (this.node) {
      const flushed = new Promise((resolve) => { this.flushed = resolve; });
      this.node.port.postMessage("flush");
      await Promise.race([flushed, new Promise((resolve) => { setTimeout(resolve, 500); })]);
    }
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context?.state !== "closed") await this.context?.close();
  }
}
