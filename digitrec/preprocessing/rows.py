"""Which marks of a page form a line of writing, and where its words end."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from digitrec.preprocessing.boxes import Box

TALL = 0.5  # of the usual height: what is lower is a piece of something, or punctuation
ASIDE = 0.5  # of the usual height, from the line's course to the middle of a mark that belongs to it
RECALLED = 6  # last marks of a line that give its course
STEEP = 0.5  # of a line, at most: about 27 degrees
WORD = 0.6  # of the usual height: less is no space between words
ALIKE = 2.0  # times as high as the lowest are marks of about one height
REPEATED = 0.15  # of all ink, at least, by marks of the usual height
WIDER = 2.2  # times the usual space between digits


class Course(NamedTuple):
    """A line through the middles of marks, y = start + slope x."""

    slope: float
    start: float

    def aside(self, box: Box) -> float:
        """How far the middle of a box lies above or below it."""
        x, y = box.centre
        return abs(self.start + self.slope * x - y)


def usual_height(boxes: Sequence[Box], areas: Sequence[int]) -> float:
    """The height that repeats: that of marks which are alike, by the ink that they have beside the largest of them.

    Neither dust nor a frame decides. Where none is like another it is the median, each counted by the root of its ink.
    """
    order = np.argsort([box.height for box in boxes])
    heights, inks = np.array([box.height for box in boxes])[order], np.array(areas, float)[order]
    ends = np.searchsorted(heights, heights * ALIKE, side="right")
    alike = [inks[start:end] for start, end in enumerate(ends)]
    repeated = [of_these.sum() - of_these.max() for of_these in alike]
    best = int(np.argmax(repeated))
    chosen = np.s_[best : ends[best]] if repeated[best] >= REPEATED * inks.sum() else np.s_[:]
    weights = np.sqrt(inks[chosen])
    return float(heights[chosen][np.searchsorted(weights.cumsum(), weights.sum() / 2)])


def rows_of(boxes: Sequence[Box], height: float) -> list[list[int]]:
    """Numbers of the boxes of each line, lines from top to bottom and boxes from left to right.

    Lines may be askew by up to 27 degrees, each in its own way. Low boxes, by the usual height of a digit, go to the
    line that they stand in, or to none.
    """
    tall = sorted((n for n, box in enumerate(boxes) if box.height >= TALL * height), key=lambda n: boxes[n].x)
    slope = _slope([boxes[n] for n in tall], height)
    rows: list[list[int]] = []
    courses: list[Course] = []
    for number in tall:
        aside = [course.aside(boxes[number]) for course in courses]
        if aside and min(aside) <= ASIDE * height:
            nearest = aside.index(min(aside))
            rows[nearest].append(number)
            courses[nearest] = _course([boxes[n] for n in rows[nearest]], slope)
        else:
            rows.append([number])
            courses.append(_course([boxes[number]], slope))
    whole = [[boxes[n] for n in row] for row in rows]
    for number, box in enumerate(boxes):
        if box.height < TALL * height and (home := _home(whole, box, slope, height)) is not None:
            rows[home].append(number)
    rows.sort(key=lambda row: np.median([boxes[n].centre[1] - slope * boxes[n].centre[0] for n in row]))
    return [sorted(row, key=lambda n: boxes[n].centre[0]) for row in rows]


def _slope(boxes: Sequence[Box], height: float) -> float:
    """How much lines sink from left to right: the median over neighbours."""
    if len(boxes) < 2:
        return 0.0
    xs, ys = np.array([box.centre for box in boxes]).T
    across, down = xs[None] - xs[:, None], ys[None] - ys[:, None]
    near = (across > 0.2 * height) & (across < 4 * height) & (np.abs(down) < STEEP * across)
    nearest = np.where(near, across, np.inf).argmin(axis=1)
    rows = np.flatnonzero(near.any(axis=1))
    slopes = down[rows, nearest[rows]] / across[rows, nearest[rows]]
    return float(np.median(slopes)) if rows.size else 0.0


def _course(row: Sequence[Box], slope: float) -> Course:
    """Where a row goes on, by its last marks; `slope` is that of all rows."""
    last = [box.centre for box in row[-RECALLED:]]
    xs, ys = np.array(last).T
    if len(last) >= 4 and np.ptp(xs) > 0:
        own = float(np.polyfit(xs, ys, 1)[0])
        slope = (own + slope) / 2 if abs(own - slope) < 0.2 else slope
    return Course(slope, float(np.mean(ys - slope * xs)))


def _home(rows: Sequence[Sequence[Box]], box: Box, slope: float, height: float) -> int | None:
    """The row whose digits a low box stands between, or touches."""
    found = []
    for number, row in enumerate(rows):
        nearest = min(row, key=lambda tall: abs(tall.centre[0] - box.centre[0]))
        down = abs(nearest.centre[1] + slope * (box.centre[0] - nearest.centre[0]) - box.centre[1])
        gap = max(nearest.x - box.right, box.x - nearest.right)
        if down <= 0.7 * height and gap <= 0.6 * height:
            found.append((down, number))
    return min(found)[1] if found else None


def words_of(rows: Sequence[Sequence[Box]], height: float) -> list[list[int]]:
    """Of each row of digits, from left to right, numbers of those that begin a word; `height` is their usual one."""
    gaps = [[after.x - before.right for before, after in pairwise(row)] for row in rows]
    pooled = [gap for row in gaps for gap in row]
    usual = max(float(np.median(pooled)) if pooled else 0.0, 0.0)
    least = max(WORD * height, WIDER * usual)
    return [
        [0] * bool(row) + [n for n, gap in enumerate(of_row, start=1) if gap > least]
        for row, of_row in zip(rows, gaps, strict=True)
    ]
