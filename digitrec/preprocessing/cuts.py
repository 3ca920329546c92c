"""Where digits that touch may be cut apart: paths from top to bottom that cross little ink."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitrec.preprocessing.planes import Plane

Columns = NDArray[np.intp]

LENGTH = 0.02  # what a pixel of a path costs, beside the ink on it
SIDEWAYS = 0.15  # what a step aside costs
STROKES = 3.5  # widths of the pen that a path may cross
LEAST = 0.25  # of the ink of an upright stroke: a path that has less on either side parts nothing
APART = 0.12  # of the usual height, between paths, and from the ends
MOST = 6  # paths per usual height of the mark's width
STEPS = np.array([0, -1, 1], np.int8)  # aside, with which a path may come down a row


class Cut(NamedTuple):
    """A path through a mark.

    Attributes:
        columns: (H,), of each row the first column on the path's right.
        ink: what it crosses, in widths of the pen.
    """

    columns: Columns
    ink: float


def find_cuts(ink: Plane, height: float, pen: float) -> list[Cut]:
    """Paths on which a mark may be cut, from left to right; they do not cross one another.

    Each is the path through its place in the middle row that crosses least ink, and better than those beside it.

    Args:
        ink: (H, W) in [0, 1], cropped to the mark.
        height: usual height of a digit, in pixels.
        pen: width of the strokes, in pixels.
    """
    margin = max(2, round(APART * height))
    if ink.shape[1] < 2 * margin + 1:
        return []
    down, came_down = _cheapest(ink)
    up, came_up = _cheapest(ink[::-1])
    middle = len(ink) // 2
    cost = down[middle] + up[len(ink) - 1 - middle] - ink[middle]
    cost[:margin] = cost[len(cost) - margin :] = np.inf
    cuts: list[Cut] = []
    most = round(MOST * ink.shape[1] / height) + 1
    up_to = np.pad(ink.cumsum(axis=1), ((0, 0), (1, 0)))
    while len(cuts) < most and cost.min() <= STROKES * pen:
        level = np.flatnonzero(cost <= cost.min() + 1e-3)
        column = int(level[len(level) // 2])  # the middle of a gap
        above = _followed(came_down[: middle + 1], column)
        below = _followed(came_up[: len(ink) - middle], column)
        path = np.concatenate([above, below[::-1][1:]])
        rows = np.arange(len(ink))
        left = float(up_to[rows, path].sum())
        if min(left, float(ink.sum()) - left) < LEAST * height * pen:  # it goes around the mark
            cost[column] = np.inf
            continue
        cuts.append(Cut(path, float(ink[rows, path].sum()) / pen))
        cost[max(0, column - margin) : column + margin + 1] = np.inf
    return _in_order(cuts)


def _cheapest(ink: Plane) -> tuple[Plane, NDArray[np.int8]]:
    """Least cost of a path from the top to each pixel, (H, W), and the step aside with which it comes there."""
    cost = np.empty_like(ink)
    steps = np.zeros(ink.shape, np.int8)
    cost[0] = ink[0] + LENGTH
    ways = np.full((len(STEPS), ink.shape[1]), np.inf, np.float32)
    for row in range(1, len(ink)):
        before = cost[row - 1]
        ways[0], ways[1, 1:], ways[2, :-1] = before, before[:-1] + SIDEWAYS, before[1:] + SIDEWAYS
        cost[row] = ways.min(axis=0) + ink[row] + LENGTH
        steps[row] = STEPS[ways.argmin(axis=0)]
    return cost, steps


def _followed(steps: NDArray[np.int8], column: int) -> Columns:
    """The path that ends in the last row at a column: (H,) columns."""
    path = np.empty(len(steps), np.intp)
    for row in range(len(steps) - 1, -1, -1):
        path[row] = column
        column += int(steps[row, column])
    return path


def _in_order(cuts: list[Cut]) -> list[Cut]:
    cuts.sort(key=lambda cut: float(cut.columns.mean()))
    columns = np.maximum.accumulate([cut.columns for cut in cuts], axis=0) if cuts else ()
    return [Cut(path, cut.ink) for path, cut in zip(columns, cuts, strict=True)]
