"""Which pieces of a line make a digit: the split with the highest confidence that looks like writing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, log

from digitrec.preprocessing.boxes import Box
from digitrec.preprocessing.digit import as_mnist
from digitrec.preprocessing.framing import Bytes
from digitrec.preprocessing.page_ink import PageInk, Piece, joined
from digitrec.recognition.reading import Reading
from digitrec.wording import printable

Read = Callable[[list[Bytes]], list[Reading]]
Placed = tuple[Box, Reading]

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
    """Costs of a split; 1 is the cost of a digit that is read with a confidence of 37 %.

    Chosen on pages made of MNIST's training digits: docs/HANDWRITING.md.

    Attributes:
        cut: each cut.
        crossed: ink that a cut crosses, per width of the pen.
        gap: paper within a digit, per usual height.
        low: a digit below three quarters of the usual height, per usual height that is missing.
        wide: a digit wider than its class usually is, per squared standard deviation.
        rejected: ink that is rejected, per usual height of its longer side.
    """

    cut: float = 0.015
    crossed: float = 0.1
    gap: float = 4.0
    low: float = 4.5
    wide: float = 0.06
    rejected: float = 2.0


@dataclass(frozen=True)
class Span:
    """Pieces of a line that may be a digit: from the first, up to the last and without it."""

    first: int
    last: int
    box: Box
    image: Bytes


COSTS = Costs()


def split(page_ink: PageInk, read: Read, costs: Costs = COSTS) -> list[list[Placed]]:
    """The digits and the rejected ink of each line: boxes in pixels of the reduced picture, and readings.

    Args:
        page_ink: N lines.
        read: reads images (28, 28); called once.
        costs: of a split.
    """
    spans = [_spans(line, page_ink.height) for line in page_ink.lines]
    readings = iter(read([span.image for of_line in spans for span in of_line]))
    found = []
    for line, of_line in zip(page_ink.lines, spans, strict=True):
        candidates = [(span, *_with_cost(span, next(readings), page_ink.height, costs)) for span in of_line]
        found.append(_cheapest(line, candidates, page_ink.height, costs))
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


def _with_cost(span: Span, reading: Reading, height: float, costs: Costs) -> tuple[Reading, float]:
    """The reading and its cost; rejected where this costs less."""
    rejected = costs.rejected * max(span.box.width, span.box.height) / height
    if reading.label is None:
        return reading, rejected
    usual, spread = ASPECTS.get(reading.label, ANY_ASPECT)
    unsure = f"looks most like {printable(reading.label)}, by {reading.confidence:.0%} only"
    reasons = {
        "too low for its line": costs.low * max(0.0, 0.75 - span.box.height / height),
        "too wide for its height": costs.wide * max(0.0, (span.box.width / span.box.height - usual) / spread) ** 2,
        unsure: -log(max(reading.confidence, 1e-9)),
    }
    cost = sum(reasons.values())
    if cost <= rejected:
        return reading, cost
    return replace(reading, label=None, problem=f"not a digit: {max(reasons, key=reasons.__getitem__)}"), rejected


def _cheapest(
    line: Sequence[Piece], candidates: Sequence[tuple[Span, Reading, float]], height: float, costs: Costs
) -> list[Placed]:
    """The split of a line that costs least, by dynamic programming over where digits end."""
    ways: list[tuple[float, Span | None, Reading | None]] = [(0.0, None, None), *[(inf, None, None)] * len(line)]
    for span, reading, cost in sorted(candidates, key=lambda one: one[0].last):
        total = ways[span.first][0] + cost + _cost_of_gaps(line[span.first : span.last], height, costs)
        if total < ways[span.last][0]:
            ways[span.last] = total, span, reading
    found: list[Placed] = []
    _, chosen, read = ways[-1]
    while chosen is not None and read is not None:
        found.append((chosen.box, read))
        _, chosen, read = ways[chosen.first]
    return found[::-1]


def _cost_of_gaps(pieces: Sequence[Piece], height: float, costs: Costs) -> float:
    """Cost of the cut on the left of some pieces, and of the paper between them."""
    first = pieces[0].cut
    cost = 0.0 if first is None else costs.cut + costs.crossed * first
    for before, after in pairwise(pieces):
        if after.cut is None:
            cost += costs.gap * max(0.0, after.box.x - before.box.right) / height
    return cost
