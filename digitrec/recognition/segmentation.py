"""Which pieces of a line make a digit: the split with the highest confidence that looks like writing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, log

from digitrec.preprocessing.boxes import Box, around
from digitrec.preprocessing.digit import as_mnist
from digitrec.preprocessing.framing import Bytes
from digitrec.preprocessing.page_ink import PageInk, Piece, joined
from digitrec.recognition.reading import Reading
from digitrec.system.wording import printable

Read = Callable[[list[Bytes]], list[Reading]]
Placed = tuple[Box, Reading]

# Width over height of MNIST's training digits: median and standard deviation of each.
ASPECTS = {
    "0": (0.90, 0.19), "1": (0.40, 0.20), "2": (0.95, 0.23), "3": (0.80, 0.17), "4": (0.80, 0.17),
    "5": (0.90, 0.26), "6": (0.70, 0.16), "7": (0.75, 0.17), "8": (0.75, 0.17), "9": (0.65, 0.14),
}  # fmt: skip
ANY_ASPECT = 0.80, 0.22
NARROW = 1.4  # times its height wide is a mark of two digits, as a rule
COMPANY = 3  # marks on a page: with fewer such a narrow one is rather a letter or a drawing
MOST = 7  # pieces of a digit
HIGH_ENOUGH = 0.5  # of the usual height: lower marks are no evidence about a page
LETTERS = 0.4  # of a page's marks, at most: narrow ones that are no digit
FEW = 5  # such marks, and fewer, are no evidence
ROW = 3.0  # times its height wide is a row of digits, of which some may be lost
REST = 0.3  # usual heights that a part of a mark of digits may measure that is none itself
WIDEST_JOINED = 1.6  # usual heights of a digit that is made of pieces

# Costs of a split, chosen on pages made of MNIST's training digits (docs/HANDWRITING.md); 1 is that of a digit that is
# read with a confidence of 37 %. Heights are the usual one of a digit.
CUT = 0.015  # of each cut
CROSSED = 0.1  # of the ink that a cut crosses, per width of the pen
GAP = 4.0  # of paper within a digit, per height
LOW = 4.5  # of a digit below three quarters of the height, per height that is missing
PART = 3.0  # of each digit that is part of a narrow mark, per height that this is narrower than two digits
HIGH = 5.0  # of a digit above twice the height, per height that is too much
WIDE = 0.06  # of a digit wider than its class usually is, per squared standard deviation
REJECTED = 2.0  # of ink that is rejected, per height of its longer side


@dataclass(frozen=True)
class Span:
    """Pieces of a line that may be a digit: from the first, up to the last and without it.

    ``is_whole``: they are all pieces of one mark. ``narrowness``: by how much the mark that they are only a part of is
    too narrow for two digits; else 0.
    """

    first: int
    last: int
    box: Box
    image: Bytes
    is_whole: bool
    narrowness: float = 0.0


def split(page_ink: PageInk, read: Read) -> list[list[Placed]]:
    """The digits and the rejected ink of each line: boxes in pixels of the reduced picture, and readings.

    ``read`` reads images (28, 28), and is called once.
    """
    spans = [_spans(line, page_ink.height) for line in page_ink.lines]
    flat = [span for of_line in spans for span in of_line]
    readings = read([span.image for span in flat])
    part = 0.0 if _has_company(page_ink, flat, readings) else PART
    costs = iter(_with_cost(*one, page_ink.height, part) for one in zip(flat, readings, strict=True))
    found = []
    for line, of_line in zip(page_ink.lines, spans, strict=True):
        candidates = [(span, *next(costs)) for span in of_line]
        chosen = _cheapest(line, candidates, page_ink.height)
        found.append(_whole_marks(line, chosen, page_ink.height) if part else chosen)
    return [[(span.box, reading) for span, reading in row] for row in found]


def _has_company(page_ink: PageInk, spans: Sequence[Span], readings: Sequence[Reading]) -> bool:
    """Are there several marks on a page, and few narrow ones that are no digit?"""
    boxes = [around([piece.box for piece in line[slice(*mark)]]) for line in page_ink.lines for mark in _marks(line)]
    apart = sum(not any(other.holds(box) for other in boxes if other != box) for box in boxes)
    high = [
        (span.box, reading.label)
        for span, reading in zip(spans, readings, strict=True)
        if span.is_whole and max(span.box.width, span.box.height) >= HIGH_ENOUGH * page_ink.height
    ]
    letters = sum(label is None and box.width < NARROW * box.height for box, label in high)
    return apart >= COMPANY and (len(high) < FEW or letters <= LETTERS * len(high))


def _marks(line: Sequence[Piece]) -> list[tuple[int, int]]:
    """Numbers of the first piece of each mark of a line, and of the one after its last."""
    return list(pairwise([*(n for n, piece in enumerate(line) if piece.cut is None), len(line)]))


def _spans(line: Sequence[Piece], height: float) -> list[Span]:
    """Every run of pieces that is not too wide for a digit."""
    spans = []
    for (begin, end), first in ((mark, first) for mark in _marks(line) for first in range(*mark)):
        mark = around([piece.box for piece in line[begin:end]])
        narrowness = max(0.0, NARROW - mark.width / mark.height)
        for last in range(first + 1, min(first + MOST, len(line)) + 1):
            ink, box = joined(line[first:last])
            if last > first + 1 and box.width > WIDEST_JOINED * height:
                break
            is_part = first > begin or last < end
            is_whole = (first, last) == (begin, end)
            spans.append(Span(first, last, box, as_mnist(ink), is_whole, narrowness if is_part else 0.0))
    return spans


def _with_cost(span: Span, reading: Reading, height: float, part: float) -> tuple[Reading, float]:
    """The reading and its cost; rejected where this costs less."""
    rejected = REJECTED * max(span.box.width, span.box.height) / height
    if reading.label is None:
        return reading, rejected
    usual, spread = ASPECTS.get(reading.label, ANY_ASPECT)
    unsure = f"looks most like {printable(reading.label)}, by {reading.confidence:.0%} only"
    reasons = {
        "too low for its line": LOW * max(0.0, 0.75 - span.box.height / height),
        "too high for its line": HIGH * max(0.0, span.box.height / height - 2),
        "too wide for its height": WIDE * max(0.0, (span.box.width / span.box.height - usual) / spread) ** 2,
        "part of a mark that is too narrow for two": part * span.narrowness,
        unsure: -log(max(reading.confidence, 1e-9)),
    }
    cost = sum(reasons.values())
    if cost <= rejected:
        return reading, cost
    return replace(reading, label=None, problem=f"not a digit: {max(reasons, key=reasons.__getitem__)}"), rejected


def _cheapest(
    line: Sequence[Piece], candidates: Sequence[tuple[Span, Reading, float]], height: float
) -> list[tuple[Span, Reading]]:
    """The split of a line that costs least, by dynamic programming over where digits end."""
    ways: list[tuple[float, Span | None, Reading | None]] = [(0.0, None, None), *[(inf, None, None)] * len(line)]
    for span, reading, cost in sorted(candidates, key=lambda one: one[0].last):
        total = ways[span.first][0] + cost + _cost_of_gaps(line[span.first : span.last], height)
        if total < ways[span.last][0]:
            ways[span.last] = total, span, reading
    found: list[tuple[Span, Reading]] = []
    _, chosen, read = ways[-1]
    while chosen is not None and read is not None:
        found.append((chosen, read))
        _, chosen, read = ways[chosen.first]
    return found[::-1]


def _whole_marks(
    line: Sequence[Piece], found: Sequence[tuple[Span, Reading]], height: float
) -> list[tuple[Span, Reading]]:
    """Without digits cut from a mark of which a large part is rejected: it is all digits, or no number."""
    kept = []
    for span, reading in found:
        begin, end = next(mark for mark in _marks(line) if mark[0] <= span.first < mark[1])
        mark = around([piece.box for piece in line[begin:end]])
        rests = [
            max(other.box.width, other.box.height)
            for other, of_other in found
            if begin <= other.first < end and of_other.label is None
        ]
        if reading.label is not None and mark.width < ROW * mark.height and max(rests, default=0) >= REST * height:
            reading = replace(reading, label=None, problem="not a digit: part of a mark that is no row of digits")
        kept.append((span, reading))
    return kept


def _cost_of_gaps(pieces: Sequence[Piece], height: float) -> float:
    """Cost of the cut on the left of some pieces, and of the paper between them."""
    first = pieces[0].cut
    cost = 0.0 if first is None else CUT + CROSSED * first
    for before, after in pairwise(pieces):
        if after.cut is None:
            cost += GAP * max(0.0, after.box.x - before.box.right) / height
    return cost
