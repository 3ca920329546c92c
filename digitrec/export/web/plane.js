/**
 * Rectangles of numbers, row by row: {width, height, data} with a typed array.
 */

/** Bounding box of what is not 0; 0 x 0 when there is nothing. */
export function crop(plane) {
  const { width, height, data } = plane;
  let top = height;
  let bottom = -1;
  let left = width;
  let right = -1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (data[at] !== 0) {
        if (y < top) top = y;
        if (x < left) left = x;
        if (x > right) right = x;
        bottom = y;
      }
    }
  }
  if (bottom < 0) return { width: 0, height: 0, data: data.slice(0, 0) };
  const cropped = { width: right - left + 1, height: bottom - top + 1 };
  const kept = new data.constructor(cropped.width * cropped.height);
  for (let y = 0; y < cropped.height; y++) {
    const start = (top + y) * width + left;
    kept.set(data.subarray(start, start + cropped.width), y * cropped.width);
  }
  return { ...cropped, data: kept };
}

/** The plane on a larger one of zeros, its upper left corner at row `top` and column `left`. */
export function paste(plane, width, height, top, left) {
  const data = new plane.data.constructor(width * height);
  for (let y = 0; y < plane.height; y++) {
    data.set(plane.data.subarray(y * plane.width, (y + 1) * plane.width), (top + y) * width + left);
  }
  return { width, height, data };
}

/** Each number, and its place, through a function, into a typed array of a given kind. */
export function map({ width, height, data }, kind, change) {
  const changed = new kind(data.length);
  for (let at = 0; at < data.length; at++) changed[at] = change(data[at], at);
  return { width, height, data: changed };
}

/** The nearest whole number; halves go to the even one, as in Python. */
export function rint(number) {
  const up = Math.round(number);
  return up - number === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

export function clip(number, low, high) {
  return Math.min(Math.max(number, low), high);
}
