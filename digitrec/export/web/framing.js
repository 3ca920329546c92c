/**
 * MNIST's own framing: ink 20 pixels long, its centre of mass at pixel (14, 14) of a 28 x 28 image.
 * The same as digitrec/preprocessing/framing.py, number by number.
 */
import { clip, crop, paste, rint } from "./plane.js";

export const SIDE = 28;
export const INK_SIDE = 20;
const CENTRE = 14;
const SHARPNESS = -0.75; // of the cubic that enlarges

/** Ink of any size, bytes from 0 for paper to 255 for full ink -> Uint8Array(784), white ink on black. */
export function frame(ink) {
  const digit = crop(resample(square(crop(ink))));
  if (!digit.width) return new Uint8Array(SIDE * SIDE);
  const rows = new Float64Array(digit.height);
  const columns = new Float64Array(digit.width);
  digit.data.forEach((value, at) => {
    rows[Math.floor(at / digit.width)] += value;
    columns[at % digit.width] += value;
  });
  return paste(digit, SIDE, SIDE, start(rows), start(columns)).data;
}

function square(ink) {
  const side = Math.max(ink.width, ink.height);
  return paste(ink, side, side, Math.floor((side - ink.height) / 2), Math.floor((side - ink.width) / 2));
}

/** Shrink to means of areas, enlarge by a cubic, to 20 x 20. */
function resample(ink) {
  const side = ink.width;
  if (side === 0 || side === INK_SIDE) return ink;
  const weights = side > INK_SIDE ? areaWeights(side) : cubicWeights(side);
  const rows = new Float64Array(INK_SIDE * side); // 20 rows of the width before
  for (let row = 0; row < INK_SIDE; row++) {
    for (let y = 0; y < side; y++) {
      const weight = weights[row * side + y];
      if (weight === 0) continue;
      for (let x = 0; x < side; x++) rows[row * side + x] += weight * ink.data[y * side + x];
    }
  }
  const data = new Uint8Array(INK_SIDE * INK_SIDE);
  for (let row = 0; row < INK_SIDE; row++) {
    for (let column = 0; column < INK_SIDE; column++) {
      let sum = 0;
      for (let x = 0; x < side; x++) sum += rows[row * side + x] * weights[column * side + x];
      data[row * INK_SIDE + column] = clip(rint(sum), 0, 255);
    }
  }
  return { width: INK_SIDE, height: INK_SIDE, data };
}

/** Share that each pixel has in each of 20 equal intervals, 20 rows of `side` numbers. */
function areaWeights(side) {
  const weights = new Float64Array(INK_SIDE * side);
  for (let row = 0; row < INK_SIDE; row++) {
    const low = (row * side) / INK_SIDE;
    const high = ((row + 1) * side) / INK_SIDE;
    for (let x = 0; x < side; x++) {
      const overlap = Math.max(Math.min(high, x + 1) - Math.max(low, x), 0);
      weights[row * side + x] = (overlap * INK_SIDE) / side;
    }
  }
  return weights;
}

/** Keys' cubic, the border's pixels repeated: 20 rows of `side` numbers. */
function cubicWeights(side) {
  const weights = new Float64Array(INK_SIDE * side);
  for (let offset = -1; offset < 3; offset++) {
    for (let row = 0; row < INK_SIDE; row++) {
      const place = ((row + 0.5) * side) / INK_SIDE - 0.5;
      const pixel = Math.floor(place) + offset;
      weights[row * side + clip(pixel, 0, side - 1)] += keys(Math.abs(place - pixel));
    }
  }
  return weights;
}

function keys(distance) {
  const a = SHARPNESS;
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance ** 2 + 1;
  return distance < 2 ? ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a : 0;
}

/** Where ink begins on an axis so that its centre of mass lies at 14, or as near as the border lets it. */
function start(profile) {
  let mass = 0;
  let moment = 0;
  profile.forEach((ink, place) => {
    mass += ink;
    moment += ink * place;
  });
  return clip(rint(CENTRE - moment / mass), 0, SIDE - profile.length);
}
