// The microphone's level, as the bars of its last seconds.

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
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const style = getComputedStyle(canvas);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    for (let x = width - BAR, index = this.values.length - 1; x >= 0; x -= BAR + GAP, index -= 1) {
      const value = this.values[index] ?? 0;
      const high = Math.max(3, value * (height - 2));
      pen.fillStyle = style.getPropertyValue(index < 0 || value < 0.1 ? "--wave" : "--record");
      pen.beginPath();
      pen.roundRect(x, (height - high) / 2, BAR, high, 1.5);
      pen.fill();
    }
  }
}
