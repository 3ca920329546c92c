/**
 * The width of strokes, brought near that of MNIST's pens. The same as digitrec/preprocessing/pens.py, number by number.
 */
import { distances } from "./distances.js";
import { INK_SIDE } from "./framing.js";
import { clip, map, paste } from "./plane.js";
import { enlarged } from "./enlarging.js";

const THINNEST = 1.5; // pixels in MNIST's frame
const THICKEST = 4.4;
const THIN = 2.2; // what thinner and thicker strokes are brought to
const THICK = 3.6;
const DOT = 7; // from which on it is no stroke: dots and solid shapes are left for the network to reject
const FINE = 120; // pixels of the digit's longer side, at least, when strokes are redrawn

/** A digit, cropped, ink in [0, 1], as if drawn with a pen of a usual width; a dot stays as it is. */
export function usualPen(ink) {
  const side = Math.max(ink.width, ink.height);
  const width = strokeWidth(ink) * (INK_SIDE / side);
  if ((THINNEST <= width && width <= THICKEST) || width >= DOT || width === 0) return ink;
  const wanted = width < THINNEST ? THIN : THICK;
  const fine = redrawn(ink, Math.max(1, Math.ceil(FINE / side)));
  const excess = (((width - wanted) / 2) * Math.max(fine.width, fine.height)) / INK_SIDE;
  if (excess > 0) return narrowed(fine, excess);
  const margin = Math.ceil(-excess) + 1;
  const roomy = paste(fine, fine.width + 2 * margin, fine.height + 2 * margin, margin, margin);
  return widened(roomy, -excess);
}

/** Pixels across a typical stroke; 0 without ink. */
function strokeWidth(ink) {
  const depth = depths(ink);
  const ridge = depth.data.filter((value, at) => value > 0 && value === highestAround(depth, at)).sort();
  if (!ridge.length) return 0;
  const middle = ridge.length >> 1;
  const median = ridge.length % 2 ? ridge[middle] : (ridge[middle - 1] + ridge[middle]) / 2;
  const area = depth.data.reduce((count, value) => count + (value > 0), 0);
  return Math.min(2 * median - 0.5, (area / ridge.length) * 2);
}

/** How deep in the ink each pixel lies; paper begins right outside the plane. */
function depths(ink) {
  const { width, height } = ink;
  const inked = paste(map(ink, Uint8Array, isInk), width + 2, height + 2, 1, 1);
  const around = distances(inked);
  const data = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = (y + 1) * (width + 2) + 1;
    data.set(around.data.subarray(start, start + width), y * width);
  }
  return { width, height, data };
}

function isInk(value) {
  return value >= 0.5 ? 1 : 0;
}

/** The greatest of a pixel and its eight neighbours. */
function highestAround({ width, height, data }, at) {
  const x = at % width;
  const y = (at - x) / width;
  let highest = data[at];
  for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
    for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
      highest = Math.max(highest, data[row * width + column]);
    }
  }
  return highest;
}

function redrawn(ink, factor) {
  return map(enlarged(ink, factor), Float32Array, (value) => clip(value, 0, 1));
}

function widened(ink, by) {
  const outside = distances(map(ink, Uint8Array, (value) => 1 - isInk(value))).data;
  return map(ink, Float32Array, (value, at) => Math.max(value, clip(1.5 + by - outside[at], 0, 1)));
}

function narrowed(ink, by) {
  const depth = depths(ink);
  return map(ink, Float32Array, (value, at) => {
    const deep = depth.data[at];
    const centre = deep > 0 && deep === highestAround(depth, at); // never lost, so that no stroke breaks
    return value * Math.fround(centre ? 1 : clip(deep + 0.5 - by, 0, 1));
  });
}
