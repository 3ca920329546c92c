"""One picture of one digit -> the 28x28 digit that MNIST's makers would have made of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitrec.preprocessing.framing import SIDE, WHITE, crop, frame
from digitrec.preprocessing.ink import find_ink
from digitrec.preprocessing.marks import all_of, digit_of
from digitrec.preprocessing.pens import usual_pen
from digitrec.preprocessing.picture import Picture, read_picture


class DigitImage(NamedTuple):
    """The digit of a picture.

    Attributes:
        image: uint8 (28, 28), white ink on black; all black without ink.
        note: what was left out, further digits for instance; None if nothing.
    """

    image: NDArray[np.uint8]
    note: str | None


def find_digit(picture: Picture, whole: bool = False) -> DigitImage:
    """The digit on a picture, or with ``whole`` the letter, sign or number that all its ink is.

    ``whole`` keeps all ink but pale rules, of any shape. Takes and raises what `read_picture` does.
    """
    colours, _, note = read_picture(picture)
    inked = find_ink(colours, whole=whole)
    ink, count = (all_of(inked), 1) if whole else digit_of(inked)
    several = f"{count} marks of a digit's size: --many, or read_page, reads them all" if count > 1 else None
    return DigitImage(as_mnist(ink), "; ".join(filter(None, (several, note))) or None)


def as_mnist(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A digit's ink, (H, W) in [0, 1], with a usual pen and in MNIST's frame: uint8 (28, 28)."""
    cropped = crop(ink)
    if not cropped.size:
        return np.zeros((SIDE, SIDE), np.uint8)
    return frame((usual_pen(cropped) * WHITE).round().astype(np.uint8))
