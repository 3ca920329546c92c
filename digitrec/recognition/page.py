"""What a picture of several digits was read as."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from digitrec.preprocessing.boxes import Box
from digitrec.preprocessing.page_ink import PageInk
from digitrec.preprocessing.rows import words_of
from digitrec.recognition.reading import Reading
from digitrec.recognition.segmentation import Read, split

MOST = 2500  # pieces of ink: more are a texture, and would take seconds to read
READ, READ_OF_MANY = 0.5, 0.6  # of the marks, by their size, are digits where there are any; of few some are signs
MANY = 12  # marks, and more
LOWEST = 7  # pixels of a digit's height that can be read


@dataclass(frozen=True)
class Digit:
    """A digit of a page, or what was rejected.

    Attributes:
        box: x, y, width and height in whole pixels of the upright picture.
        reading: its label is None where it was rejected.
    """

    box: Box
    reading: Reading


@dataclass(frozen=True)
class Line:
    """A line of writing.

    Attributes:
        words: digits from left to right, grouped by wider spaces.
        others: rejected ink of the line.
    """

    words: tuple[tuple[Digit, ...], ...]
    others: tuple[Digit, ...] = ()

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits from left to right."""
        return tuple(digit for word in self.words for digit in word)

    @property
    def from_left(self) -> list[Digit]:
        """Digits and rejected ink, from left to right."""
        return sorted((*self.digits, *self.others), key=lambda digit: digit.box.x)

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
    def is_readable(self) -> bool:
        """Whether the picture could be opened."""
        return self.width > 0

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits, line by line."""
        return tuple(digit for line in self.lines for digit in line.digits)

    @property
    def text(self) -> str:
        """The lines that hold digits, one below the other."""
        return "\n".join(line.text for line in self.lines if line.words)


def page_of(page_ink: PageInk, read: Read) -> Page:
    """Read the digits of a picture; `read` reads images (28, 28), and is called once."""
    pieces = sum(map(len, page_ink.lines))
    if pieces > MOST:
        return Page(
            (), *page_ink.size, f"no digit: {pieces:,} pieces of ink, a texture rather than writing", page_ink.note
        )
    rows = [[Digit(_upright(box, page_ink), reading) for box, reading in row] for row in split(page_ink, read)]
    rows = [
        _rejected(row, reason) if reason else row for row, reason in zip(rows, _reasons(rows, page_ink), strict=True)
    ]
    digits = [[digit for digit in row if digit.reading.label is not None] for row in rows]
    height = page_ink.height * page_ink.reduced
    starts = words_of([[digit.box for digit in row] for row in digits], height)
    lines = []
    for row, of_row, begins in zip(rows, digits, starts, strict=True):
        words = tuple(tuple(of_row[start:end]) for start, end in pairwise([*begins, len(of_row)]))
        lines.append(Line(words, tuple(digit for digit in row if digit.reading.label is None)))
    return Page(tuple(lines), *page_ink.size, None if any(digits) else _why_none(rows), page_ink.note)


def _reasons(rows: Sequence[Sequence[Digit]], page_ink: PageInk) -> list[str | None]:
    """Of each line, why none of it is a digit; None where it may hold digits."""
    most = 1.5 * page_ink.height * page_ink.reduced
    if page_ink.height < LOWEST:
        return [f"its marks are {page_ink.height:.0f} pixels high, digits at least {LOWEST}"] * len(rows)
    if _is_mostly_rejected([digit for row in rows for digit in row], most):
        return ["the picture shows mostly other marks"] * len(rows)
    return ["its line is mostly other marks" if _is_mostly_rejected(row, most) else None for row in rows]


def _is_mostly_rejected(digits: Sequence[Digit], most: float) -> bool:
    """Is too much rejected? Each mark counts by its longer side, up to ``most`` pixels."""
    sizes = [min(most, max(digit.box.width, digit.box.height)) for digit in digits]
    read = sum(size for size, digit in zip(sizes, digits, strict=True) if digit.reading.label is not None)
    return read < (READ_OF_MANY if len(digits) >= MANY else READ) * sum(sizes)


def _rejected(row: Sequence[Digit], reason: str) -> list[Digit]:
    return [
        digit
        if digit.reading.label is None
        else replace(digit, reading=replace(digit.reading, label=None, problem=f"not a digit: {reason}"))
        for digit in row
    ]


def _upright(box: Box, page_ink: PageInk) -> Box:
    left, top = round(box.x * page_ink.reduced), round(box.y * page_ink.reduced)
    right, bottom = round(box.right * page_ink.reduced), round(box.bottom * page_ink.reduced)
    return Box(left, top, min(right, page_ink.size.width) - left, min(bottom, page_ink.size.height) - top)


def _why_none(rows: Sequence[Sequence[Digit]]) -> str:
    found = [digit.reading.problem for row in rows for digit in row]
    return found[0] if len(found) == 1 and found[0] else "no digit: no ink found" if not found else "no digit found"
