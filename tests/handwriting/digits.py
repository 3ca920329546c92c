"""Digits as ink of any size: written by a hand that training never saw, or other people's, enlarged."""

from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from digitrec.data import datasets
from digitrec.data.synthetic.ink import paint
from digitrec.data.synthetic.strokes import Hand, write

Array = NDArray[np.floating[Any]]
Source = Literal["strokes", "mnist", "digits"]

# Other people than those of training, and more careless ones; seeds that no training uses.
STRANGER = Hand(
    slant=3.0, slant_spread=11.0, rotation=5.0, aspect=0.2, form=0.055, stroke=0.024, ends=0.045, tremor=0.004,
    pressure=0.1,
)  # fmt: skip
FIRST_SEED = 7_000_000_000
SHARPEST = {"mnist": 8.0, "digits": 2.0}  # counters of 8x8 images are grey and would close


class Digit(NamedTuple):
    """One digit: the `seed` of its shape, the `source` of it and, for strokes, its `style`."""

    label: int
    seed: int
    source: Source = "strokes"
    style: str | None = None

    def ink(self, height: int, pen: float, jagged: bool = False) -> Array:
        """Ink (h, w) in [0, 1] on a close-fitting sheet, `height` pixels high.

        `pen`: width in pixels, and `jagged`: as by a mouse that jumps; both for strokes only.
        """
        if self.source == "strokes":
            return self._written(height, pen, jagged)
        return enlarged(original(self.source, self.label, self.seed), height, SHARPEST[self.source])

    def _written(self, height: int, pen: float, jagged: bool) -> Array:
        generator = torch.Generator().manual_seed(FIRST_SEED + 10 * self.seed + self.label)
        resolution = 22 if jagged else max(40, min(400, height // 3))
        styles = None if self.style is None else [self.style]
        strokes = write(torch.tensor([self.label]), generator, styles=styles, hand=STRANGER, resolution=resolution)
        points, pressure = strokes.points[0], strokes.pressure[0]
        present = pressure[:, 0] > 0
        points, pressure = points[present], pressure[present]
        low, high = points.amin((0, 1)), points.amax((0, 1))
        points = (points - low) * max(1.0, height - pen) / (high - low)[1] + pen
        width = torch.full_like(pressure, pen) if jagged else pressure * pen
        points = _jumped(points, height, generator) if jagged else points
        size = (points.amax((0, 1)) + pen).ceil().int().tolist()
        return cropped(np.asarray(paint(points, width, (size[0], size[1])), np.float32) / 255)


def _jumped(points: Tensor, height: int, generator: torch.Generator) -> Tensor:
    """Points (S, K, 2) where a mouse reports them: whole pixels, a little off."""
    return (points + 0.004 * height * torch.randn(points.shape, generator=generator)).round()


@cache
def _test_split(source: str) -> datasets.Split:
    return datasets.load(source, "test")


def original(source: str, label: int, seed: int) -> Array:
    """One of a data set's test images of a label, (28, 28) in [0, 1]."""
    images, labels = _test_split(source)
    rows = (labels == label).nonzero().flatten()
    return images[rows[seed % len(rows)], 0].numpy().astype(np.float32) / 255


def enlarged(image: Array, height: int, sharpest: float) -> Array:
    """Enlarge an image of a digit smoothly and raise its contrast, up to `sharpest` times, for crisp edges."""
    digit = np.pad(cropped(image), 1)
    size = (round(digit.shape[1] * height / digit.shape[0]), height)
    large = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC))
    steepness = min(max(1.0, height / 40), sharpest)
    return cropped(np.clip((large - 0.5) * steepness + 0.5, 0, 1).astype(np.float32))


def cropped(ink: Array) -> Array:
    rows, columns = (np.flatnonzero((ink > 0.02).any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
