// Strokes, as the person sees them and as the gray ink that is read. Places and widths are in shares of the sheet's side.

export const PENS = { thin: 0.02, medium: 0.045, thick: 0.08 };
const INK_SIDE = 160; // pixels of the whole sheet; the digit's own box is what is read
const NEAREST = 0.003; // nearer points say nothing new

export class Drawing {
  #strokes = [];
  #down = false;
  #shown;
  #ink;

  constructor(canvas) {
    this.#shown = canvas.getContext("2d");
    const plane = document.createElement("canvas");
    plane.width = plane.height = INK_SIDE;
    this.#ink = plane.getContext("2d", { willReadFrequently: true });
  }

  get empty() {
    return this.#strokes.length === 0;
  }

  /** Put the pen down. */
  begin(x, y, width) {
    this.#down = true;
    this.#strokes.push([{ x, y, width }]);
    this.#piece(this.#strokes.at(-1), 0);
  }

  /** Move the pen that is down; false where that changes nothing. */
  extend(x, y, width) {
    if (!this.#down) return false; // its stroke was undone meanwhile
    const stroke = this.#strokes.at(-1);
    const last = stroke.at(-1);
    if (Math.hypot(x - last.x, y - last.y) < NEAREST) return false;
    stroke.push({ x, y, width });
    this.#piece(stroke, stroke.length - 1);
    return true;
  }

  undo() {
    this.#down = false;
    this.#strokes.pop();
    this.redraw();
  }

  clear() {
    this.#down = false;
    this.#strokes = [];
    this.redraw();
  }

  /** Fit the sheet to its place on the screen, in its colours of now. */
  redraw() {
    const canvas = this.#shown.canvas;
    const side = Math.max(1, Math.round(canvas.clientWidth * window.devicePixelRatio));
    canvas.width = canvas.height = side;
    this.#ink.clearRect(0, 0, INK_SIDE, INK_SIDE);
    this.#shown.strokeStyle = this.#shown.fillStyle = getComputedStyle(canvas).color;
    for (const stroke of this.#strokes) stroke.forEach((_, index) => this.#piece(stroke, index));
  }

  /** The inked part of the sheet, {width, height, data}, one byte per pixel; null where there is none. */
  ink() {
    const { data } = this.#ink.getImageData(0, 0, INK_SIDE, INK_SIDE);
    let left = INK_SIDE, right = -1, top = INK_SIDE, bottom = -1;
    for (let pixel = 0; pixel < INK_SIDE * INK_SIDE; pixel++) {
      if (data[4 * pixel + 3] === 0) continue;
      const x = pixel % INK_SIDE, y = (pixel - x) / INK_SIDE;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
    if (right < 0) return null;
    const width = right - left + 1, height = bottom - top + 1;
    const ink = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) ink[y * width + x] = data[4 * ((y + top) * INK_SIDE + x + left) + 3];
    }
    return { width, height, data: ink };
  }

  /** Draw what a stroke's point adds, so that a stroke looks the same drawn at once and bit by bit. */
  #piece(stroke, index) {
    for (const context of [this.#shown, this.#ink]) {
      const side = context.canvas.width;
      const at = (point) => [point.x * side, point.y * side];
      const { x, y, width } = stroke[index];
      context.beginPath();
      if (index === 0) {
        context.arc(x * side, y * side, (width * side) / 2, 0, 2 * Math.PI);
        context.fill();
        continue;
      }
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = width * side;
      const before = stroke[index - 1];
      const half = middle(before, stroke[index]);
      if (index === 1) {
        context.moveTo(...at(before));
      } else {
        context.moveTo(...at(middle(stroke[index - 2], before)));
        context.quadraticCurveTo(...at(before), ...at(half));
      }
      context.lineTo(x * side, y * side);
      context.stroke();
    }
  }
}

function middle(one, other) {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}
