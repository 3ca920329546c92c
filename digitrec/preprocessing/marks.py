"""Which ink is the digit: specks, lines at the border and dirt left out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from digitrec.preprocessing.boxes import Box, around
from digitrec.preprocessing.planes import NEIGHBOURS, Plane

SURE, UNSURE = 0.5, 0.25  # ink that is a mark by itself, and ink that is one beside such
SPECK = 0.03  # of the largest mark's area
PART = 0.15  # of the largest mark's area, by a part that is cut off as it is: noise along the edges is less
DUST = 0.005  # of it: a decimal point or a dot is more
FILLED = 0.9  # of the picture's height or width, by a digit that is cut off
APART = 0.35  # of the digit's size, between its parts
ALIKE = 0.5  # of the largest one's size: what is as large may be a digit, too
WIDEST_DIGIT = 1.6  # times its height is no digit's width
PARTS = 2  # of such size at most: the circles of an 8, a 5 and its bar


class Mark(NamedTuple):
    """A connected piece of ink."""

    number: int
    area: int
    box: Box
    at_border: bool

    @property
    def size(self) -> float:
        """The longer side of its box, in pixels."""
        return max(self.box.width, self.box.height)


def find_marks(ink: Plane) -> tuple[NDArray[np.int32], list[Mark]]:
    """Connected pieces of ink, the largest first: numbers (H, W), 0 for paper, and one `Mark` for each number."""
    numbers, count = ndimage.label(ink >= UNSURE, NEIGHBOURS)
    if not count:
        return numbers, []
    sure = np.bincount(numbers[ink >= SURE], minlength=count + 1)
    areas = np.bincount(numbers.ravel(), minlength=count + 1)
    marks = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), start=1):
        if sure[number]:
            at_border = 0 in (rows.start, columns.start) or rows.stop == ink.shape[0] or columns.stop == ink.shape[1]
            box = Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
            marks.append(Mark(number, int(areas[number]), box, at_border))
    return numbers, sorted(marks, key=lambda mark: -mark.area)


def digit_of(ink: Plane) -> tuple[Plane, int]:
    """The ink of the one digit that a picture shows, (H, W), all else 0; and how many digits there may be instead."""
    numbers, marks = find_marks(ink)
    if not marks:
        return np.zeros_like(ink), 0
    chosen = [max(marks, key=lambda mark: mark.area * (0.2 if mark.at_border else 1.0))]
    is_cut = chosen[0].at_border and _fills(chosen[0], marks, ink)  # then so may its parts be
    for mark in sorted(marks, key=lambda mark: _distance(chosen[0].box, mark.box)):
        if mark not in chosen and (is_cut or not mark.at_border) and _belongs(mark, chosen):
            chosen.append(mark)
    return ink_of(chosen, ink, numbers, marks), _count(chosen, marks)


def all_of(ink: Plane) -> Plane:
    """The ink of all that is no dust: (H, W), all else 0."""
    numbers, marks = find_marks(ink)
    chosen = [mark for mark in marks if mark.area >= DUST * marks[0].area]
    return ink_of(chosen, ink, numbers, marks)


def ink_of(chosen: Sequence[Mark], ink: Plane, numbers: NDArray[np.int32], marks: Sequence[Mark]) -> Plane:
    """The ink of chosen marks with their soft edges, and none of the others': (H, W).

    ``ink``, ``numbers``: (H, W), or the same part of both.
    """
    ours = np.zeros(int(numbers.max(initial=0)) + 1, bool)
    others = ours.copy()
    ours[[mark.number for mark in chosen if mark.number < len(ours)]] = True
    others[[mark.number for mark in marks if mark.number < len(ours)]] = True
    soft = ndimage.binary_dilation(ours[numbers], NEIGHBOURS) & ~(others & ~ours)[numbers]
    return np.where(soft, ink, 0).astype(np.float32)


def _fills(mark: Mark, marks: Sequence[Mark], ink: Plane) -> bool:
    """Does a mark reach from end to end of the picture, one way or the other, or with what is near it both ways?"""
    near = [other for other in marks if _belongs(other, [mark]) and other.area >= PART * mark.area]
    return max(_shares(mark.box, ink)) >= FILLED or min(_shares(around([m.box for m in near]), ink)) >= FILLED


def _shares(box: Box, ink: Plane) -> tuple[float, float]:
    """Of the picture's height and width."""
    return box.height / ink.shape[0], box.width / ink.shape[1]


def _belongs(mark: Mark, chosen: list[Mark]) -> bool:
    largest = max(chosen, key=lambda other: other.area)
    near = min(_distance(mark.box, other.box) for other in chosen) <= APART * max(other.size for other in chosen)
    return near and mark.area >= SPECK * largest.area


def _count(chosen: Sequence[Mark], marks: Sequence[Mark]) -> int:
    """How many digits there may be: 1 unless marks of their size were left out, are too many, or stand in a row."""
    size = max(mark.size for mark in chosen)
    alike = [mark for mark in marks if mark.size >= ALIKE * size and (mark in chosen or not mark.at_border)]
    box = around([mark.box for mark in chosen])
    several = len(alike) > PARTS or box.width > WIDEST_DIGIT * box.height or any(mark not in chosen for mark in alike)
    return len(alike) if several else 1


def _distance(one: Box, other: Box) -> float:
    """Between two boxes, in pixels; 0 where they overlap."""
    down = max(one.y - other.bottom, other.y - one.bottom, 0)
    across = max(one.x - other.right, other.x - one.right, 0)
    return float(np.hypot(down, across))
