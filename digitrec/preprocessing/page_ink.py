"""Everything written on a picture: marks in lines, cut where digits may touch."""

from bisect import insort
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitrec.preprocessing.boxes import Box, around
from digitrec.preprocessing.cuts import find_cuts
from digitrec.preprocessing.framing import crop
from digitrec.preprocessing.ink import find_ink
from digitrec.preprocessing.marks import Mark, find_marks, ink_of
from digitrec.preprocessing.pens import stroke_width
from digitrec.preprocessing.picture import Picture, Size, read_picture
from digitrec.preprocessing.planes import BOX, Plane, resized, scaled
from digitrec.preprocessing.rows import rows_of, usual_height
from digitrec.preprocessing.rules import LONG, without_table

LONGEST = 1600  # pixels of the longer side that are looked at
WIDEST_STROKE = 6  # strokes are thinner than the longer side divided by this
MOST = 400  # marks: there is not more writing on a page that can be read
ENOUGH = 64  # pixels of a digit's height: more are reduced
FINEST_STROKE = 1.6  # pixels of a stroke, unless it was finer from the beginning
EDGE = 0.2  # of the picture's shorter side, along its border: what covers more is no digit
DUST = 0.22  # of the usual height: marks that are smaller are left out
GAP = 0.12  # of the usual height, between the upper and the lower part of a digit
HIGHEST = 1.35  # usual heights of a digit whose parts are joined
WIDE = 0.7  # usual heights: a mark that is wider may be several digits


class Piece(NamedTuple):
    """Ink that is one digit or a part of one.

    Attributes:
        ink: (h, w) in [0, 1], cropped to it.
        box: where it lies, in pixels of the reduced picture; h and w are those of `ink`.
        cut: widths of the pen that part it from the piece on its left; None where there is paper between.
    """

    ink: Plane
    box: Box
    cut: float | None


class PageInk(NamedTuple):
    """The ink of a page, in lines.

    Attributes:
        lines: from top to bottom; pieces from left to right.
        height: usual height of a digit, in pixels of the reduced picture.
        reduced: pixels of the upright picture in one of the reduced picture.
        size: of the upright picture.
        note: as that of `OpenedPicture`.
    """

    lines: list[list[Piece]]
    height: float
    reduced: float
    size: Size
    note: str | None = None


class _Group(NamedTuple):
    """Marks that lie above each other."""

    marks: tuple[Mark, ...]
    box: Box


def find_page_ink(picture: Picture) -> PageInk:
    """Marks of a picture in lines, what may be several digits in pieces; takes and raises what `read_picture` does."""
    colours, size, note = read_picture(picture, LONGEST)
    ink = _reduced(find_ink(colours, WIDEST_STROKE))
    numbers, marks = find_marks(ink)
    height = _height(numbers, marks)
    if marks and max(mark.size for mark in marks) >= LONG * height:
        ink = without_table(ink, height)
        numbers, marks = find_marks(ink)
        height = _height(numbers, marks)
    marks = _without_edges(numbers, marks, height)
    lines = _in_lines(ink, numbers, marks, height) if marks else []
    return PageInk(lines, height, max(size) / max(ink.shape), size, note)


def _in_lines(ink: Plane, numbers: NDArray[np.int32], marks: Sequence[Mark], height: float) -> list[list[Piece]]:
    seen = [mark for mark in marks[:MOST] if mark.size >= DUST * height]
    groups = _stacked(seen, height)
    pen = max(1.0, stroke_width(crop(ink_of(seen[:8], ink, numbers, seen[:8]))))
    rows = rows_of([group.box for group in groups], height)
    lines = [[piece for n in row for piece in _pieces(groups[n], ink, numbers, seen, height, pen)] for row in rows]
    return [line for line in lines if line]


def _height(numbers: NDArray[np.int32], marks: Sequence[Mark]) -> float:
    seen = _without_edges(numbers, marks, EDGE * min(numbers.shape))[:MOST] or marks[:MOST]
    return usual_height([mark.box for mark in seen], [mark.area for mark in seen]) if seen else 0.0


def _without_edges(numbers: NDArray[np.int32], marks: Sequence[Mark], most: float) -> list[Mark]:
    """Marks without those that cover more pixels of the picture's border than a digit may: a desk, a sheet's edge."""
    border = np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])
    covered = np.bincount(border, minlength=int(numbers.max(initial=0)) + 1)
    return [mark for mark in marks if covered[mark.number] <= most]


def _reduced(ink: Plane) -> Plane:
    """Ink in which digits are not higher than they need be, so that what follows is quick."""
    numbers, marks = find_marks(ink)
    if not marks:
        return ink
    height = _height(numbers, marks)
    scale = max(ENOUGH / height, FINEST_STROKE / max(1.0, _pen(ink, marks)))
    if scale >= 0.8:
        return ink
    return resized(ink, scaled(ink.shape, scale), BOX)


def _pen(ink: Plane, marks: Sequence[Mark]) -> float:
    """Width of the strokes of the largest marks, in pixels."""
    return float(np.median([stroke_width(ink[_part(mark.box)]) for mark in marks[:5]]))


def _part(box: Box) -> tuple[slice, slice]:
    """Rows and columns of a box."""
    return np.s_[int(box.y) : int(box.bottom), int(box.x) : int(box.right)]


def _stacked(marks: Sequence[Mark], height: float) -> list[_Group]:
    """Marks, each joined with those right above and below that it makes a digit with."""

    def partner(group: _Group, others: Sequence[_Group]) -> _Group | None:
        near = takewhile(lambda other: other.box.y - group.box.bottom <= GAP * height, others)
        return next((other for other in near if _is_stacked(group.box, other.box, height, len(marks))), None)

    waiting = [_Group((mark,), mark.box) for mark in sorted(marks, key=lambda mark: mark.box.y)]
    settled: list[_Group] = []  # they make no digit with one another, nor with one that waits
    while waiting:
        group = waiting.pop(0)
        other = partner(group, waiting)
        while other is not None:
            (settled if other in settled else waiting).remove(other)
            group = _Group(group.marks + other.marks, around([group.box, other.box]))
            other = partner(group, settled)
            if other is None and (not settled or settled[-1].box.y <= group.box.y):
                insort(waiting, group, key=_top)
                break
            other = other or partner(group, waiting)
        else:
            insort(settled, group, key=_top)
    return settled


def _top(group: _Group) -> float:
    return group.box.y


def _is_stacked(upper: Box, lower: Box, height: float, count: int) -> bool:
    """Do two boxes make one digit? Of few marks on a page even if they are as high as others are alone."""
    shared = min(upper.right, lower.right) - max(upper.x, lower.x)
    gap = max(upper.y, lower.y) - min(upper.bottom, lower.bottom)
    if shared < 0.5 * min(upper.width, lower.width) or gap > GAP * height:
        return False
    together = around([upper, lower])
    low_enough = together.height <= HIGHEST * height or count <= 3
    return low_enough and together.width <= 1.3 * max(upper.width, lower.width)


def _pieces(
    group: _Group, ink: Plane, numbers: NDArray[np.int32], marks: Sequence[Mark], height: float, pen: float
) -> list[Piece]:
    """A group's ink, cut wherever it may be several digits."""
    box = group.box
    top, left = max(0, int(box.y) - 1), max(0, int(box.x) - 1)
    part = np.s_[top : int(box.bottom) + 1, left : int(box.right) + 1]
    own = ink_of(group.marks, ink[part], numbers[part], marks)
    cuts = find_cuts(own, height, pen) if box.width > WIDE * height else []
    owner = np.zeros(own.shape, np.intp)
    columns = np.arange(own.shape[1])
    pieces: list[Piece] = []
    for cut in cuts:
        owner += columns >= cut.columns[:, None]
    for number in range(len(cuts) + 1):
        inked = np.where(owner == number, own, 0).astype(np.float32)
        rows, across = (np.flatnonzero(inked.any(axis)) for axis in (1, 0))
        if rows.size:
            place = Box(left + int(across[0]), top + int(rows[0]), int(np.ptp(across)) + 1, int(np.ptp(rows)) + 1)
            pieces.append(Piece(crop(inked), place, cuts[number - 1].ink if number and pieces else None))
    return pieces


def joined(pieces: Sequence[Piece]) -> tuple[Plane, Box]:
    """The ink of several pieces, and the box around it."""
    box = around([piece.box for piece in pieces])
    whole = np.zeros((int(box.height), int(box.width)), np.float32)
    for ink, place, _ in pieces:
        top, left = int(place.y - box.y), int(place.x - box.x)
        part = whole[top : top + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(part, ink, out=part)
    return whole, box
