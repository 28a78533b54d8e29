// Draws bars on a canvas at the screen's resolution.

/** The canvas context and its size in CSS pixels; nothing if it is hidden. */
export function fitted(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return null;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return { pen, width, height, style: getComputedStyle(canvas) };
}

/** Draw one vertically centred bar. */
export function bar(pen, { x, width, high, height, colour, radius }) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, (height - high) / 2, width, high, radius);
  pen.fill();
}
