// Plays the recording and reports its position in every frame.
import { onLanguage, clock, say } from "./words.js";
import { recall, remember } from "./memory.js";

export class Player {
  /** `onTime(time)` is called in every frame during playback, and after each seek. */
  constructor({ dock, sound, button, clockNode, lengthNode, speed, waveform, onTime }) {
    Object.assign(this, { dock, sound, button, clockNode, lengthNode, waveform, onTime });
    this.known = 0;
    button.addEventListener("click", () => this.toggle());
    sound.addEventListener("play", () => this.#playing());
    sound.addEventListener("pause", () => this.#label());
    sound.addEventListener("seeked", () => this.#tell());
    sound.addEventListener("durationchange", () => this.#tell());
    sound.addEventListener("error", () => { if (this.url) this.dock.classList.add("mute"); });
    speed.value = recall("speed") ?? "1";
    if (!speed.value) speed.value = "1";
    speed.addEventListener("change", () => {
      sound.playbackRate = Number(speed.value);
      remember("speed", speed.value);
    });
    this.speed = speed;
    onLanguage(() => this.#label());
  }

  get duration() {
    return Number.isFinite(this.sound.duration) && this.sound.duration > 0 ? this.sound.duration : this.known;
  }

  get playing() {
    return !this.sound.paused;
  }

  load(file) {
    this.clear();
    this.url = URL.createObjectURL(file);
    this.sound.src = this.url;
    this.sound.playbackRate = this.sound.defaultPlaybackRate = Number(this.speed.value);
    this.dock.hidden = false;
  }

  clear() {
    this.sound.pause();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.known = 0;
    this.sound.removeAttribute("src");
    this.sound.load();
    this.dock.hidden = true;
    this.dock.classList.remove("mute");
    this.waveform.clear();
    this.#label();
  }

  /** The duration according to the server, for files that the browser cannot play. */
  setKnown(duration) {
    this.known = duration;
    this.#tell();
  }

  toggle() {
    if (!this.url) return;
    if (this.playing) this.sound.pause();
    else this.sound.play().catch(() => this.dock.classList.add("mute"));
  }

  seek(time) {
    if (!this.url) return;
    this.sound.currentTime = time;
    this.#tell(time);
  }

  #playing() {
    this.#label();
    const frame = () => {
      this.#tell();
      if (this.playing) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  #tell(time = this.sound.currentTime) {
    this.clockNode.textContent = clock(time);
    this.lengthNode.textContent = clock(this.duration);
    this.waveform.setTime(time, this.duration);
    this.onTime(time);
  }

  #label() {
    this.button.classList.toggle("playing", this.playing);
    this.button.setAttribute("aria-label", say(this.playing ? "pause" : "play"));
  }
}
