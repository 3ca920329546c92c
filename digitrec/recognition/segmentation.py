"""Which pieces of a line make a digit: the split that the network is surest of, and that looks like writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, log
from typing import TYPE_CHECKING

from digitrec.preprocessing.digit import as_mnist
from digitrec.preprocessing.framing import Bytes
from digitrec.preprocessing.page_ink import Piece, Writing, joined
from digitrec.preprocessing.rows import Box
from digitrec.wording import printable

if TYPE_CHECKING:
    from digitrec.recognition.recognizer import Reading

Read = Callable[[list[Bytes]], "list[Reading]"]
Placed = tuple[Box, "Reading"]

# Width over height of MNIST's training digits: median and standard deviation of each.
ASPECTS = {
    "0": (0.90, 0.19), "1": (0.40, 0.20), "2": (0.95, 0.23), "3": (0.80, 0.17), "4": (0.80, 0.17),
    "5": (0.90, 0.26), "6": (0.70, 0.16), "7": (0.75, 0.17), "8": (0.75, 0.17), "9": (0.65, 0.14),
}  # fmt: skip
ANY_ASPECT = 0.80, 0.22
MOST = 7  # pieces of a digit
WIDEST_JOINED = 1.6  # usual heights of a digit that is made of pieces


@dataclass(frozen=True)
class Costs:
    """What speaks against a split; 1 is what a digit costs that the network is sure of by 37 %.

    Chosen on pages made of MNIST's training digits: docs/HANDWRITING.md.

    Attributes:
        cut: a cut by itself.
        crossed: a width of the pen that a cut crosses.
        gap: paper within a digit, per usual height.
        low: a digit that is low, per usual height that it lacks of three quarters.
        wide: a digit that is wider than it usually is, per squared standard deviation.
        nothing: ink that is no digit, per usual height of its longer side.
    """

    cut: float = 0.015
    crossed: float = 0.1
    gap: float = 4.0
    low: float = 4.5
    wide: float = 0.06
    nothing: float = 2.0


@dataclass(frozen=True)
class Span:
    """Pieces of a line that may be a digit: from the first, up to the last and without it."""

    first: int
    last: int
    box: Box
    image: Bytes


COSTS = Costs()


def split(writing: Writing, read: Read, costs: Costs = COSTS) -> list[list[Placed]]:
    """The digits of each line, and what is none of them: boxes in pixels of the reduced picture, and readings.

    Args:
        writing: N lines.
        read: reads images (28, 28); asked once.
        costs: what speaks against a split.
    """
    spans = [_spans(line, writing.height) for line in writing.lines]
    readings = iter(read([span.image for of_line in spans for span in of_line]))
    found = []
    for line, of_line in zip(writing.lines, spans, strict=True):
        judged = [(span, *_judged(span, next(readings), writing.height, costs)) for span in of_line]
        found.append(_cheapest(line, judged, writing.height, costs))
    return found


def _spans(line: Sequence[Piece], height: float) -> list[Span]:
    """Every run of pieces that is not too wide for a digit."""
    spans = []
    for first in range(len(line)):
        for last in range(first + 1, min(first + MOST, len(line)) + 1):
            ink, box = joined(line[first:last])
            if last > first + 1 and box.width > WIDEST_JOINED * height:
                break
            spans.append(Span(first, last, box, as_mnist(ink)))
    return spans


def _judged(span: Span, reading: Reading, height: float, costs: Costs) -> tuple[Reading, float]:
    """The reading, or that it is no digit where this costs less; and what it costs."""
    nothing = costs.nothing * max(span.box.width, span.box.height) / height
    if reading.label is None:
        return reading, nothing
    usual, spread = ASPECTS.get(reading.label, ANY_ASPECT)
    doubt = f"looks most like {printable(reading.label)}, by {reading.confidence:.0%} only"
    against = {
        "too low for its line": costs.low * max(0.0, 0.75 - span.box.height / height),
        "too wide for its height": costs.wide * max(0.0, (span.box.width / span.box.height - usual) / spread) ** 2,
        doubt: -log(max(reading.confidence, 1e-9)),
    }
    cost = sum(against.values())
    if cost <= nothing:
        return reading, cost
    return replace(reading, label=None, problem=f"not a digit: {max(against, key=lambda why: against[why])}"), nothing


def _cheapest(
    line: Sequence[Piece], judged: Sequence[tuple[Span, Reading, float]], height: float, costs: Costs
) -> list[Placed]:
    """The split of a line that costs least, by dynamic programming over where digits end."""
    ways: list[tuple[float, Span | None, Reading | None]] = [(0.0, None, None), *[(inf, None, None)] * len(line)]
    for span, reading, cost in sorted(judged, key=lambda one: one[0].last):
        total = ways[span.first][0] + cost + _parted(line[span.first : span.last], height, costs)
        if total < ways[span.last][0]:
            ways[span.last] = total, span, reading
    found: list[Placed] = []
    _, chosen, said = ways[-1]
    while chosen is not None and said is not None:
        found.append((chosen.box, said))
        _, chosen, said = ways[chosen.first]
    return found[::-1]


def _parted(pieces: Sequence[Piece], height: float, costs: Costs) -> float:
    """What it costs to part pieces from those on their left, and to bridge paper between them."""
    first = pieces[0].cut
    cost = 0.0 if first is None else costs.cut + costs.crossed * first
    for before, after in pairwise(pieces):
        if after.cut is None:
            cost += costs.gap * max(0.0, after.box.x - before.box.right) / height
    return cost
