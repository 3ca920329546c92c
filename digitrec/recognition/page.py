"""What a picture of several digits was read as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from digitrec.preprocessing.page_ink import Writing
from digitrec.preprocessing.rows import Box, words_of
from digitrec.recognition.segmentation import Read, split

if TYPE_CHECKING:
    from digitrec.recognition.recognizer import Reading


@dataclass(frozen=True)
class Digit:
    """A digit of a page, or what was taken for none.

    Attributes:
        box: x, y, width and height in whole pixels of the upright picture.
        reading: its label is None where it is no digit.
    """

    box: Box
    reading: Reading


@dataclass(frozen=True)
class Line:
    """A line of writing.

    Attributes:
        words: digits from left to right, in groups that wider spaces part.
        others: what stands in the line and is no digit.
    """

    words: tuple[tuple[Digit, ...], ...]
    others: tuple[Digit, ...] = ()

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits from left to right."""
        return tuple(digit for word in self.words for digit in word)

    @property
    def text(self) -> str:
        """The digits' labels, a space between words."""
        return " ".join("".join(str(digit.reading.label) for digit in word) for word in self.words)


@dataclass(frozen=True)
class Page:
    """Everything that was found on a picture.

    Attributes:
        lines: those that hold any digit or other ink, from top to bottom.
        width: of the upright picture, in pixels.
        height: likewise.
        problem: why there is no digit; None if there is one.
        note: what else its file holds that was not read; None if nothing.
    """

    lines: tuple[Line, ...]
    width: int = 0
    height: int = 0
    problem: str | None = None
    note: str | None = None

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits, line by line."""
        return tuple(digit for line in self.lines for digit in line.digits)

    @property
    def text(self) -> str:
        """The lines that hold digits, one below the other."""
        return "\n".join(line.text for line in self.lines if line.words)


def page_of(writing: Writing, read: Read) -> Page:
    """Read what is written.

    Args:
        writing: of one picture.
        read: reads images (28, 28); asked once.
    """
    rows = [[Digit(_upright(box, writing), reading) for box, reading in row] for row in split(writing, read)]
    digits = [[digit for digit in row if digit.reading.label is not None] for row in rows]
    height = writing.height * writing.reduced
    starts = words_of([[digit.box for digit in row] for row in digits], height)
    lines = tuple(
        Line(_words(of_row, begins), tuple(digit for digit in row if digit.reading.label is None))
        for row, of_row, begins in zip(rows, digits, starts, strict=True)
    )
    return Page(lines, *writing.size, None if any(digits) else _why_none(rows), writing.note)


def _upright(box: Box, writing: Writing) -> Box:
    left, top = round(box.x * writing.reduced), round(box.y * writing.reduced)
    right, bottom = round(box.right * writing.reduced), round(box.bottom * writing.reduced)
    return Box(left, top, min(right, writing.size.width) - left, min(bottom, writing.size.height) - top)


def _words(row: Sequence[Digit], begins: Sequence[int]) -> tuple[tuple[Digit, ...], ...]:
    return tuple(tuple(row[start:end]) for start, end in pairwise([*begins, len(row)]))


def _why_none(rows: Sequence[Sequence[Digit]]) -> str:
    found = [digit.reading.problem for row in rows for digit in row]
    return found[0] if len(found) == 1 and found[0] else "no digit: no ink found" if not found else "no digit found"
