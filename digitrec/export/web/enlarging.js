/**
 * Enlarging by the cubic and in the order in which Pillow does it: along rows, then along columns, in 32 bits.
 */

const SHARPNESS = -0.5;

/** A plane of Float32Array, `factor` times as wide and high; values may overshoot. */
export function enlarged(plane, factor) {
  if (factor === 1) return plane;
  return transposed(widened(transposed(widened(plane, factor)), factor));
}

function widened({ width, height, data }, factor) {
  const wide = width * factor;
  const weights = Array.from({ length: wide }, (_, x) => weightsAt((x + 0.5) * (width / wide), width));
  const out = new Float32Array(wide * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < wide; x++) {
      const { first, share } = weights[x];
      let sum = 0;
      for (let i = 0; i < share.length; i++) sum += data[y * width + first + i] * share[i];
      out[y * wide + x] = sum;
    }
  }
  return { width: wide, height, data: out };
}

/** Weights of the pixels, the first of them and on, around a place; those over the border are left out. */
function weightsAt(place, size) {
  const first = Math.max(Math.trunc(place - 2 + 0.5), 0);
  const end = Math.min(Math.trunc(place + 2 + 0.5), size);
  const share = Array.from({ length: end - first }, (_, i) => cubic(Math.abs(first + i - place + 0.5)));
  const sum = share.reduce((total, weight) => total + weight, 0);
  return { first, share: share.map((weight) => weight / sum) };
}

function cubic(distance) {
  const a = SHARPNESS;
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * a : 0;
}

function transposed({ width, height, data }) {
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out[x * height + y] = data[y * width + x];
  }
  return { width: height, height: width, data: out };
}
