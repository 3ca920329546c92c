"""Synthetic digits as training images, in forms that are rare in a data set."""

import torch

from digitrec.data.datasets import Split
from digitrec.data.synthetic.ink import draw, pens
from digitrec.data.synthetic.strokes import write
from digitrec.data.synthetic.wear import worn


def written_digits(count: int, seed: int) -> Split:
    """Digits of each label equally often, in all forms of `digitrec.data.synthetic.styles` and pens, half of them worn.

    Args:
        count: of images; 10,000 take some seconds.
        seed: they are a pure function of it and `count`.

    Returns:
        images uint8 (count, 1, 28, 28), white on black in MNIST's framing, and labels int64 (count,).
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    strokes = write(labels, generator)
    return Split(worn(draw(strokes, pens(strokes, generator)), generator), labels)
