"""Made-up people and how they write digits: pen paths drawn by hand, in `people.txt`, a little different each time.

Nothing here is shared with what trains the network (`digitrec/data/`).
"""

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Strokes = list[Array]  # (n, 3) each: x, y and the pen's width as a share of the usual one
PATHS = Path(__file__).with_name("people.txt")
STEP = 2.0  # between points of a path, in hundredths of a digit's height


class Person(NamedTuple):
    """A writer: slant and width of the digits, carelessness and tremor in hundredths, and whether the pen is broad."""

    slant: float
    width: float
    careless: float
    tremor: float
    broad: bool
    paths: dict[int, list[str]]


@cache
def people() -> dict[str, Person]:
    """All writers, by name."""
    found: dict[str, Person] = {}
    for line in filter(None, PATHS.read_text().splitlines()):
        first, *rest = line.split(maxsplit=1)
        if first == "person":
            name, *figures, pen = rest[0].split()
            slant, width, careless, tremor = map(float, figures)
            found[name] = Person(slant, width, careless, tremor, pen == "broad", {})
        elif first.isdigit():
            found[name].paths.setdefault(int(first), []).append(rest[0])
    return found


def written(person: Person, label: int, rng: Generator) -> Strokes:
    """A digit as a person writes it this time, about 1 high."""
    ways = person.paths[label]
    careless = person.careless * rng.uniform(0.7, 1.9)
    strokes = [_stroke(text, careless, person.tremor, rng) for text in ways[rng.integers(len(ways))].split("/")]
    wave, phase = rng.normal(0, 0.7 * careless, (2, 2)), rng.uniform(0, 2 * np.pi, (2, 2))
    slant, turn = person.slant + rng.normal(0, 0.05), rng.normal(0, 0.05)
    width = person.width * rng.uniform(0.9, 1.12)
    return [_leaning(_warped(stroke, wave, phase), slant, width, turn, person.broad) for stroke in strokes]


def _stroke(text: str, careless: float, tremor: float, rng: Generator) -> Array:
    """Points (n, 2) along the pieces of a stroke: ~ is a curve through its points, - a line from each to the next."""
    pieces: Strokes = []
    for piece in text.split("|"):
        kind, *points = piece.split()
        corners = np.array([point.split(",") for point in points], float) + rng.normal(
            0, 0.55 * careless, (len(points), 2)
        )
        if pieces:
            corners[0] = pieces[-1][-1]
        pieces.append(_curve(corners) if kind == "~" else _line(corners))
    path = np.concatenate(pieces) + rng.normal(0, 0.7 * careless, 2)
    shaken = rng.normal(0, 1, path.shape)
    return path + tremor * (shaken + np.roll(shaken, 1, 0)) / 2


def _line(corners: Array) -> Array:
    parts = [
        one + (other - one) * np.linspace(0, 1, max(2, int(np.hypot(*(other - one)) / STEP)))[:, None]
        for one, other in pairwise(corners)
    ]
    return np.concatenate(parts)


def _curve(corners: Array) -> Array:
    """Catmull and Rom's spline."""
    ends = np.concatenate([[2 * corners[0] - corners[1]], corners, [2 * corners[-1] - corners[-2]]])
    parts = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        t = np.linspace(0, 1, max(3, int(np.hypot(*(c - b)) / STEP)))[:, None]
        parts.append(b + (c - a) * t / 2 + (a - 2.5 * b + 2 * c - d / 2) * t**2 + (1.5 * (b - c) + (d - a) / 2) * t**3)
    return np.concatenate(parts)


def _warped(stroke: Array, wave: Array, phase: Array) -> Array:
    x, y = stroke.T
    level, upright = (wave[axis] * np.sin(along[:, None] / 32 + phase[axis]) for axis, along in enumerate((x, y)))
    return np.asarray(stroke + level + upright)


def _leaning(stroke: Array, slant: float, width: float, turn: float, broad: bool) -> Array:
    x, y = (stroke[:, 0] - 30) * width - slant * (stroke[:, 1] - 50), stroke[:, 1] - 50
    x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    along = np.arctan2(np.gradient(y), np.gradient(x))
    pen = 0.35 + 1.25 * np.abs(np.sin(along + 0.7)) if broad else np.ones_like(x)
    return np.stack([x / 100, y / 100, pen], axis=1)


def hurried(strokes: Strokes, rng: Generator) -> Strokes:
    """As a fast mouse reports them: few points."""
    few = int(rng.integers(4, 9))
    return [np.concatenate([stroke[:-1:few], stroke[-1:]]) for stroke in strokes]


def pressed(strokes: Strokes, rng: Generator) -> Strokes:
    """With a pressure that comes and goes."""
    hurry, phase = rng.uniform(3, 9), rng.uniform(0, 6)
    return [
        np.column_stack(
            [stroke[:, :2], stroke[:, 2] * (0.7 + 0.35 * np.sin(np.linspace(phase, phase + hurry, len(stroke))))]
        )
        for stroke in strokes
    ]
