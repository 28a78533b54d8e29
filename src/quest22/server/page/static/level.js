// Draws the microphone level of the last few seconds as bars.
import { bar, fitted } from "./bars.js";

const BAR = 3;
const GAP = 2;
const KEPT = 600;
const FLOOR_DB = -54;

export class Level {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  clear() {
    this.values = [];
    this.draw();
  }

  /** A peak of 0…1. */
  add(peak) {
    const decibels = 20 * Math.log10(Math.max(peak, 1e-5));
    this.values.push(Math.max(0, 1 - decibels / FLOOR_DB));
    if (this.values.length > 2 * KEPT) this.values.splice(0, KEPT);
    this.draw();
  }

  draw() {
    const canvas = fitted(this.canvas);
    if (!canvas) return;
    const { pen, width, height, style } = canvas;
    for (let x = width - BAR, index = this.values.length - 1; x >= 0; x -= BAR + GAP, index -= 1) {
      const value = this.values[index] ?? 0;
      const high = Math.max(3, value * (height - 2));
      const colour = style.getPropertyValue(index < 0 || value < 0.1 ? "--wave" : "--record");
      bar(pen, { x, width: BAR, high, height, colour, radius: 1.5 });
    }
  }
}
