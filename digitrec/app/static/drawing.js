// Strokes, as the person sees them and as the gray ink that is read. Places and widths are in shares of the sheet's side.

export const PENS = { thin: 0.02, medium: 0.045, thick: 0.08 };
const INK_SIDE = 160; // pixels of the whole sheet; the digit's own box is what is read
const NEAREST = 0.003; // nearer points say nothing new

export class Drawing {
  #strokes = [];
  #cleared = []; // the strokes that the last clearing took
  #down = false;
  #shown;
  #ink;

  constructor(canvas) {
    this.#shown = canvas.getContext("2d");
    const plane = document.createElement("canvas");
    plane.width = plane.height = INK_SIDE;
    this.#ink = plane.getContext("2d", { willReadFrequently: true });
  }

  /** Put the pen down. */
  begin(x, y, width) {
    this.#down = true;
    this.#strokes.push([{ x, y, width }]);
  }

  /** Move the pen that is down; false where that changes nothing. */
  extend(x, y, width) {
    if (!this.#down) return false; // its stroke was undone meanwhile
    const stroke = this.#strokes.at(-1);
    const last = stroke.at(-1);
    if (Math.hypot(x - last.x, y - last.y) < NEAREST) return false;
    stroke.push({ x, y, width });
    return true;
  }

  get undoable() {
    return this.#strokes.length + this.#cleared.length > 0;
  }

  /** Take the last stroke back, or the clearing of the sheet. */
  undo() {
    this.#down = false;
    if (this.#strokes.length) this.#strokes.pop();
    else [this.#strokes, this.#cleared] = [this.#cleared, []];
  }

  clear() {
    this.#down = false;
    if (this.#strokes.length) this.#cleared = this.#strokes;
    this.#strokes = [];
  }

  /** Draw all strokes, on the sheet and as ink. All of them: where a stroke ends for now, it may bend in the next moment. */
  paint() {
    for (const context of [this.#shown, this.#ink]) {
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      for (const stroke of this.#strokes) draw(context, stroke);
    }
  }

  /** Fit the sheet to its place on the screen, in its colours of now. */
  fit() {
    const canvas = this.#shown.canvas;
    canvas.width = canvas.height = Math.max(1, Math.round(canvas.clientWidth * window.devicePixelRatio));
    this.#shown.strokeStyle = this.#shown.fillStyle = getComputedStyle(canvas).color;
    this.paint();
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
}

/** Draw a stroke through the middles between its points, bent towards the points. */
function draw(context, stroke) {
  const side = context.canvas.width;
  const [first, last] = [stroke[0], stroke.at(-1)];
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.arc(first.x * side, first.y * side, (first.width * side) / 2, 0, 2 * Math.PI);
  context.fill();
  let from = first;
  for (let index = 1; index < stroke.length; index++) {
    const [before, here] = [stroke[index - 1], stroke[index]];
    const to = here === last ? last : { x: (before.x + here.x) / 2, y: (before.y + here.y) / 2 };
    context.lineWidth = here.width * side;
    context.beginPath();
    context.moveTo(from.x * side, from.y * side);
    context.quadraticCurveTo(before.x * side, before.y * side, to.x * side, to.y * side);
    context.stroke();
    from = to;
  }
}
