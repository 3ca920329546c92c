"""A picture of several digits: a row of them on ruled paper, in uneven light."""

import io
from typing import NamedTuple

import numpy as np
from numpy.random import default_rng
from PIL import Image

from tests.app.drawn import ink_of
from tests.handwriting import effects as e

BLUE = (0.1, 0.18, 0.55)
HEIGHT, GAP = 200, 62  # pixels


class Postcode(NamedTuple):
    """A JPEG file, its width in pixels, and where each digit begins and ends in it."""

    file: bytes
    width: int
    columns: list[tuple[int, int]]


def postcode(text: str, seed: int = 5) -> Postcode:
    """A row of digits."""
    rng = default_rng(seed)
    inks = [ink_of(int(character), int(rng.integers(100)), side=2 * HEIGHT, pen=0.03) for character in text]
    width = sum(ink.shape[1] + GAP for ink in inks) + 2 * GAP
    canvas = np.zeros((2 * HEIGHT, width), np.float32)
    left = GAP * 3 // 2
    columns = []
    for ink in inks:
        top = (len(canvas) - ink.shape[0]) // 2 + int(rng.integers(-12, 12))
        canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink / np.float32(255)
        columns.append((left, left + ink.shape[1]))
        left += ink.shape[1] + GAP
    sheet = e.ruled(e.paper((width, 2 * HEIGHT), (0.97, 0.96, 0.93), rng), 64, (0.75, 0.83, 0.92), rng)
    sheet = e.written(sheet, e.soft(canvas, 0.7), BLUE)
    sheet *= 0.78 + 0.22 * e.field((width, 2 * HEIGHT), 2, rng)[..., None]
    stream = io.BytesIO()
    Image.fromarray(e.to_bytes(sheet)).save(stream, "JPEG", quality=88)
    return Postcode(stream.getvalue(), width, columns)
