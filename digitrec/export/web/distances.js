/**
 * Exact distances to the nearest 0, after Felzenszwalb and Huttenlocher,
 * "Distance Transforms of Sampled Functions" (2012): columns first, then the lower envelope of parabolas in each row.
 */

const FAR = 1e9; // squared; sums of such numbers are still exact

/** A plane of 0 and other numbers -> plane of distances in pixels; far away where there is no 0 at all. */
export function distances({ width, height, data }) {
  const squares = alongColumns(width, height, data);
  const distance = new Float64Array(width * height);
  const envelope = { place: new Int32Array(width), from: new Float64Array(width + 1) };
  for (let y = 0; y < height; y++) {
    const row = squares.subarray(y * width, (y + 1) * width);
    alongRow(row, envelope, distance.subarray(y * width, (y + 1) * width));
  }
  return { width, height, data: distance };
}

/** Squared distance to the nearest 0 of the same column. */
function alongColumns(width, height, data) {
  const squares = new Float64Array(width * height);
  for (let x = 0; x < width; x++) {
    let steps = Infinity;
    for (let y = 0, at = x; y < height; y++, at += width) {
      steps = data[at] === 0 ? 0 : steps + 1;
      squares[at] = steps;
    }
    steps = Infinity;
    for (let y = height - 1, at = (height - 1) * width + x; y >= 0; y--, at -= width) {
      steps = data[at] === 0 ? 0 : steps + 1;
      squares[at] = Math.min(Math.min(steps, squares[at]) ** 2, FAR);
    }
  }
  return squares;
}

function alongRow(squares, { place, from }, distance) {
  let last = 0;
  place[0] = 0;
  from[0] = -Infinity;
  from[1] = Infinity;
  for (let x = 1; x < squares.length; x++) {
    let meeting = meetingPoint(squares, place[last], x);
    while (meeting <= from[last]) meeting = meetingPoint(squares, place[--last], x);
    place[++last] = x;
    from[last] = meeting;
    from[last + 1] = Infinity;
  }
  for (let x = 0, at = 0; x < squares.length; x++) {
    while (from[at + 1] < x) at++;
    distance[x] = Math.sqrt((x - place[at]) ** 2 + squares[place[at]]);
  }
}

/** Where the parabolas that stand on two places cross. */
function meetingPoint(squares, one, other) {
  return (squares[other] + other * other - squares[one] - one * one) / (2 * (other - one));
}
