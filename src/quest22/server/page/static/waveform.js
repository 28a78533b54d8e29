// Draws the recording's waveform, or where words were said; also a slider for the playback position.
import { bar, fitted } from "./bars.js";
import { clock, say } from "./words.js";

const BAR = 2;
const GAP = 1;
const STEP_S = 5;

export class Waveform {
  /** `onSeek(time)` is called when a position is selected. */
  constructor(canvas, onSeek) {
    this.canvas = canvas;
    this.onSeek = onSeek;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#grabbed(event));
    canvas.addEventListener("pointermove", (event) => this.#moved(event));
    canvas.addEventListener("pointerleave", () => this.#hover(null));
    canvas.addEventListener("keydown", (event) => this.#pressed(event));
  }

  clear() {
    this.peaks = null;
    this.duration = 0;
    this.time = 0;
    this.hovered = null;
    this.canvas.classList.remove("has-waveform");
    this.draw();
  }

  setPeaks(peaks) {
    this.peaks = peaks;
    this.canvas.classList.add("has-waveform");
    this.draw();
  }

  /** There is no waveform: draw where words were said. */
  setWords(words, duration, bins) {
    if (this.peaks || !duration) return;
    const peaks = new Float32Array(bins).fill(0.08);
    for (const { start, end } of words) {
      if (start === null) continue;
      const last = Math.min(bins - 1, Math.floor((end / duration) * bins));
      for (let bin = Math.floor((start / duration) * bins); bin <= last; bin += 1) peaks[bin] = 0.55;
    }
    this.peaks = peaks;
    this.draw();
  }

  setTime(time, duration) {
    const before = this.#pixel(this.time);
    const changed = duration !== this.duration;
    this.time = time;
    this.duration = duration;
    if (changed || this.#pixel(time) !== before) this.draw();
    const now = Math.floor(time);
    if (!changed && this.canvas.getAttribute("aria-valuenow") === String(now)) return;
    this.canvas.setAttribute("aria-valuemax", String(Math.floor(duration)));
    this.canvas.setAttribute("aria-valuenow", String(now));
    const place = say("place-value", { now: clock(time), all: clock(duration) });
    this.canvas.setAttribute("aria-valuetext", place);
  }

  #pixel(time) {
    return this.duration ? Math.round((time / this.duration) * this.canvas.width) : 0;
  }

  draw() {
    const canvas = fitted(this.canvas);
    if (!canvas) return;
    const { pen, width, height, style } = canvas;
    const played = this.duration ? (this.time / this.duration) * width : 0;
    const [done, rest] = [style.getPropertyValue("--tint"), style.getPropertyValue("--wave")];
    for (let x = 0; x < width; x += BAR + GAP) {
      const high = Math.max(2, this.#peak(x / width, (x + BAR + GAP) / width) * (height - 4));
      const colour = x < played ? done : rest;
      bar(pen, { x, width: BAR, high, height, colour, radius: 1 });
    }
    pen.fillStyle = done;
    if (this.duration) pen.fillRect(Math.min(width - 2, Math.max(0, played - 1)), 0, 2, height);
    if (this.hovered !== null) this.#drawHovered(pen, width, height, style);
  }

  #drawHovered(pen, width, height, style) {
    const x = this.hovered * width;
    pen.globalAlpha = 0.5;
    pen.fillRect(x, 0, 1, height);
    pen.globalAlpha = 1;
    const text = clock(this.hovered * this.duration);
    pen.font = `12px ${style.fontFamily}`;
    const wide = pen.measureText(text).width + 10;
    const left = Math.min(width - wide, Math.max(0, x + 6));
    pen.fillStyle = style.getPropertyValue("--sheet");
    pen.beginPath();
    pen.roundRect(left, 0, wide, 18, 4);
    pen.fill();
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.fillText(text, left + 5, 13);
  }

  #peak(from, to) {
    if (!this.peaks) return 0;
    const first = Math.floor(from * this.peaks.length);
    const last = Math.max(first, Math.min(this.peaks.length, Math.ceil(to * this.peaks.length)) - 1);
    let top = 0;
    for (let bin = first; bin <= last; bin += 1) top = Math.max(top, this.peaks[bin]);
    return top;
  }

  #share(event) {
    const { left, width } = this.canvas.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width));
  }

  #grabbed(event) {
    if (event.button || !this.duration) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.onSeek(this.#share(event) * this.duration);
  }

  #moved(event) {
    if (!this.duration) return;
    if (event.buttons & 1) this.onSeek(this.#share(event) * this.duration);
    this.#hover(event.pointerType === "mouse" ? this.#share(event) : null);
  }

  #hover(share) {
    this.hovered = share;
    this.draw();
  }

  #pressed(event) {
    const places = { ArrowRight: this.time + STEP_S, ArrowUp: this.time + STEP_S,
      ArrowLeft: this.time - STEP_S, ArrowDown: this.time - STEP_S,
      PageUp: this.time + 60, PageDown: this.time - 60, Home: 0, End: this.duration };
    const place = places[event.key];
    if (place === undefined || !this.duration) return;
    event.preventDefault();
    event.stopPropagation();
    this.onSeek(Math.max(0, Math.min(this.duration, place)));
  }
}
