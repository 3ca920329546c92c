/**
 * Whether what a network saw is a digit at all. The same as digitrec/recognition/rejection.py.
 */
import { INK_SIDE, SIDE } from "./framing.js";

const DIGITS = "0123456789";

/**
 * The reason why an image shows no digit; null if it may show one.
 * @param {{flattest: number, most_ink: number, finest: number, threshold: ?number}} limits the most width over height; the
 *   most ink, as a share of the digit's 20 x 20 pixels; the most strokes that an inked row or column crosses; the least
 *   certainty, null if there is none
 * @param {Uint8Array} image the 784 pixels that the network saw
 * @param {number[]} probabilities what it gave to each class
 * @param {string[]} classes their names
 */
export function rejectionReason(limits, image, probabilities, classes) {
  const ink = image.reduce((sum, byte) => sum + byte, 0) / 255 / INK_SIDE ** 2;
  if (ink === 0) return "no ink found";
  if (!probabilities.every(Number.isFinite)) return "the network's output is not a number";
  if (!classes.every((name) => name.length === 1 && DIGITS.includes(name))) return null;
  const flat = flatness(image);
  if (flat > limits.flattest) return `${flat.toFixed(0)} times as wide as high, a digit at most ${limits.flattest}`;
  if (ink > limits.most_ink) return `ink covers ${percent(ink)} of it, of a digit at most ${percent(limits.most_ink)}`;
  const strokes = Math.max(crossings(image, 1, SIDE), crossings(image, SIDE, 1));
  if (strokes > limits.finest) {
    return `too fine a texture, ${strokes.toFixed(1)} strokes side by side, in a digit at most ${limits.finest}`;
  }
  const certainty = certaintyOf(probabilities);
  if (limits.threshold !== null && certainty < limits.threshold) {
    return `it looks like none (confidence ${percent(certainty)}, threshold ${percent(limits.threshold)})`;
  }
  return null;
}

/** The two most probable classes together: what may be a 4 or a 9 is a digit. */
function certaintyOf(probabilities) {
  const [first, second] = [...probabilities].sort((one, other) => other - one);
  return first + second;
}

/** Width over height of the ink, faint strokes included. */
function flatness(image) {
  const places = [...image.keys()].filter((place) => image[place] >= 32);
  const extent = (values) => Math.max(...values) - Math.min(...values) + 1;
  return places.length ? extent(places.map((at) => at % SIDE)) / extent(places.map((at) => Math.floor(at / SIDE))) : 0;
}

/** Strokes side by side in an inked line, a mean; `along` and `across` are steps in the image. */
function crossings(image, along, across) {
  let lines = 0;
  let strokes = 0;
  for (let line = 0; line < SIDE; line++) {
    let begun = 0;
    let before = false;
    for (let place = 0; place < SIDE; place++) {
      const inked = image[line * across + place * along] >= 128;
      if (inked && !before) begun++;
      before = inked;
    }
    strokes += begun;
    lines += begun > 0;
  }
  return lines ? strokes / lines : 0;
}

function percent(share) {
  return `${Math.round(100 * share)}%`;
}
