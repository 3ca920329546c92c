"""Digits as they are drawn on the page: strokes, and the ink of them."""

import numpy as np
import torch
from numpy.typing import NDArray

from digitrec.data.synthetic.ink import paint
from digitrec.data.synthetic.strokes import Hand, write
from digitrec.preprocessing.framing import crop

CAREFUL = Hand(slant=2, slant_spread=4, rotation=2, aspect=0.1, form=0.02, stroke=0.008, ends=0.01)
Bytes = NDArray[np.uint8]
Strokes = list[list[tuple[float, float]]]


def strokes_of(label: int, seed: int = 0, resolution: int = 16) -> Strokes:
    """Strokes of a digit as points in shares of the sheet's side."""
    generator = torch.Generator().manual_seed(seed)
    written = write(torch.tensor([label]), generator, hand=CAREFUL, resolution=resolution)
    points = written.points[0, written.pressure[0, :, 0] > 0]
    low, high = points.amin((0, 1)), points.amax((0, 1))
    points = (points - (low + high) / 2) * 0.62 / (high - low).max() + 0.5
    return [[(x, y) for x, y in stroke] for stroke in points.tolist()]


def ink_of(label: int, seed: int = 0, side: int = 160, pen: float = 0.045) -> Bytes:
    """The same as ink, (H, W) uint8."""
    points = torch.tensor(strokes_of(label, seed, resolution=40)) * side
    ink: Bytes = crop(np.asarray(paint(points, torch.full(points.shape[:2], pen * side), (side, side))))
    return ink
