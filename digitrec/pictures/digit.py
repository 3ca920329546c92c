"""One picture of one digit -> the 28x28 digit that MNIST's makers would have made of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitrec.pictures.framing import SIDE, crop, frame
from digitrec.pictures.ink import find_ink
from digitrec.pictures.marks import digit_of
from digitrec.pictures.pens import stroke_width, usual_pen
from digitrec.pictures.reading import Picture, read_picture

BITS = 255


class Digit(NamedTuple):
    """What was found on a picture.

    Attributes:
        image: uint8 (28, 28), white ink on black; all black without ink.
        ink: uint8 (H, W), the ink of the digit where it was found.
        pen: width of its strokes in pixels of the picture.
    """

    image: NDArray[np.uint8]
    ink: NDArray[np.uint8]
    pen: float


def find_digit(picture: Picture, name: str = "picture") -> Digit:
    """The digit on a picture.

    Args:
        picture: as `read_picture` takes it.
        name: what errors call it, if it has no path.

    Raises:
        DataError: the picture can't be read.
    """
    ink = digit_of(find_ink(read_picture(picture, name)))
    return Digit(as_mnist(ink), (ink * BITS).round().astype(np.uint8), stroke_width(crop(ink)))


def as_mnist(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A digit's ink, (H, W) in [0, 1], with a usual pen and in MNIST's frame: uint8 (28, 28)."""
    cropped = crop(ink)
    if not cropped.size:
        return np.zeros((SIDE, SIDE), np.uint8)
    return frame((usual_pen(cropped) * BITS).round().astype(np.uint8))
