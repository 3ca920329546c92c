/**
 * A digit's ink -> the 28 x 28 digit that MNIST's makers would have made of it. The same as digitrec/preprocessing/digit.py.
 */
import { frame, SIDE } from "./framing.js";
import { usualPen } from "./pens.js";
import { crop, map, rint } from "./plane.js";

const BITS = 255;

/** Ink {width, height, data}, bytes from 0 for paper to 255 for full ink -> Uint8Array(784); all 0 without ink. */
export function asMnist(ink) {
  const cropped = crop(ink);
  if (!cropped.width) return new Uint8Array(SIDE * SIDE);
  const drawn = usualPen(map(cropped, Float32Array, (byte) => byte / BITS));
  return frame(map(drawn, Uint8Array, (share) => rint(Math.fround(share * BITS))));
}
