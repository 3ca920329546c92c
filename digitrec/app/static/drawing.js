// Strokes, as the person sees them and as the gray ink that is read. Places and widths are in shares of the sheet's side.

export const PENS = { thin: 0.02, medium: 0.045, thick: 0.08 };
const INK_SIDE = 160; // pixels of the whole sheet; the digit's own box is what is read
const PIECE = 3; // pixels of a curve that are inked as a straight line
const NEAREST = 0.003; // nearer points add nothing

export class Drawing {
  #strokes = [];
  #cleared = []; // the strokes that the last clearing took
  #down = false;
  #shown;

  constructor(canvas) {
    this.#shown = canvas.getContext("2d");
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

  /** Draw all strokes: where the last one ends for now, it may bend in the next moment. */
  paint() {
    this.#shown.clearRect(0, 0, this.#shown.canvas.width, this.#shown.canvas.height);
    for (const stroke of this.#strokes) draw(this.#shown, stroke);
  }

  /** Fit the sheet to its place on the screen, in its colours of now. */
  fit() {
    const canvas = this.#shown.canvas;
    canvas.width = canvas.height = Math.max(1, Math.round(canvas.clientWidth * window.devicePixelRatio));
    this.#shown.strokeStyle = this.#shown.fillStyle = getComputedStyle(canvas).color;
    this.paint();
  }

  /**
   * The inked part of the sheet, {width, height, data}, one byte per pixel; null where there is none. Computed from the
   * strokes: browsers that protect their users from being recognised return white or noise for a canvas's pixels.
   */
  ink() {
    const sheet = new Uint8Array(INK_SIDE * INK_SIDE);
    for (const stroke of this.#strokes) for (const curve of curves(stroke, INK_SIDE)) cover(sheet, curve);
    let left = INK_SIDE, right = -1, top = INK_SIDE, bottom = -1;
    sheet.forEach((ink, pixel) => {
      if (ink === 0) return;
      const x = pixel % INK_SIDE, y = (pixel - x) / INK_SIDE;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    });
    if (right < 0) return null;
    const width = right - left + 1, height = bottom - top + 1;
    const data = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      const start = (top + y) * INK_SIDE + left;
      data.set(sheet.subarray(start, start + width), y * width);
    }
    return { width, height, data };
  }
}

/** A stroke's curves through the middles between its points, bent towards the points, in pixels; first a dot. */
function curves(stroke, side) {
  const points = stroke.map(({ x, y, width }) => ({ x: x * side, y: y * side, width: width * side }));
  let from = points[0];
  return points.map((here, index) => {
    const bend = points[Math.max(index - 1, 0)];
    const to = index === points.length - 1 ? here : { x: (bend.x + here.x) / 2, y: (bend.y + here.y) / 2 };
    const curve = { from, bend, to, width: here.width };
    from = to;
    return curve;
  });
}

function draw(context, stroke) {
  const [dot, ...bent] = curves(stroke, context.canvas.width);
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.arc(dot.to.x, dot.to.y, dot.width / 2, 0, 2 * Math.PI);
  context.fill();
  for (const { from, bend, to, width } of bent) {
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.quadraticCurveTo(bend.x, bend.y, to.x, to.y);
    context.stroke();
  }
}

/** Ink a curve on a sheet of bytes, as straight pieces of a few pixels. */
function cover(sheet, { from, bend, to, width }) {
  const length = Math.hypot(bend.x - from.x, bend.y - from.y) + Math.hypot(to.x - bend.x, to.y - bend.y);
  const pieces = Math.max(1, Math.ceil(length / PIECE));
  let last = from;
  for (let piece = 1; piece <= pieces; piece++) {
    const share = piece / pieces, rest = 1 - share;
    const [x, y] = ["x", "y"].map((axis) => rest ** 2 * from[axis] + 2 * rest * share * bend[axis] + share ** 2 * to[axis]);
    coverLine(sheet, last, { x, y }, width / 2);
    last = { x, y };
  }
}

/** Ink what lies within a distance of a line; pixels at its border by the share that it covers of them, about. */
function coverLine(sheet, from, to, radius) {
  const [across, down] = [to.x - from.x, to.y - from.y];
  const square = across ** 2 + down ** 2 || 1;
  const reach = radius + 1;
  const first = (one, other) => Math.max(0, Math.floor(Math.min(one, other) - reach));
  const last = (one, other) => Math.min(INK_SIDE - 1, Math.ceil(Math.max(one, other) + reach));
  const bottom = last(from.y, to.y), left = first(from.x, to.x), right = last(from.x, to.x);
  for (let row = first(from.y, to.y); row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const pixel = row * INK_SIDE + column;
      if (sheet[pixel] === 255) continue;
      const x = column + 0.5 - from.x, y = row + 0.5 - from.y;
      const along = Math.min(1, Math.max(0, (x * across + y * down) / square));
      const away = Math.sqrt((x - along * across) ** 2 + (y - along * down) ** 2);
      const ink = Math.round(255 * Math.min(1, radius + 0.5 - away));
      if (ink > sheet[pixel]) sheet[pixel] = ink;
    }
  }
}
