"""A drawing of how one digit was read: the picture, the network's input, and its occlusion map."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digitrec.errors import DigitrecError
from digitrec.preprocessing.picture import Picture, read_picture
from digitrec.recognition.drawing import in_ascii
from digitrec.recognition.reading import Reading
from digitrec.system.files import free_path

SIDE = 280  # pixels of each of the three squares: ten for one of the network's
MARGIN, LINE = 20, 24
TEXT, LETTERS = 17, 104  # pixels of its height, and letters in a line
LINES = 3  # for a picture's name, at most
PAPER, INK, MUTED, DESK = (255, 255, 255), (31, 35, 40), (89, 99, 110), (243, 245, 247)
FOR, NEITHER, AGAINST = np.array([(217, 103, 4), (186, 192, 199), (36, 104, 180)])  # orange and blue, as in reports
SHOWN = 3  # classes with their probabilities
LONGEST = 50  # letters of a picture's name in that of its explanation


class Explanations:
    """A folder of such drawings; made at once, so that a wrong one is known before the work.

    Raises:
        DigitrecError: it can't be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DigitrecError(f"{folder}: {error.strerror}; expected a folder that can be written") from error

    def save(self, drawing: Image.Image, picture: str) -> None:
        """Write one as NAME-explained.png, with a number where there is one of that name already.

        Raises:
            DigitrecError: it can't be written.
        """
        file = free_path(self._folder / f"{Path(picture).stem[:LONGEST]}-explained.png")
        try:
            drawing.save(file)
        except OSError as error:
            raise DigitrecError(f"{file} cannot be written: {error.strerror}") from error


def draw_reading(picture: Picture, reading: Reading, occlusion: NDArray[np.float32], name: str) -> Image.Image:
    """The squares of `draw_squares` below the picture's name and what was read.

    Args:
        picture: what was read.
        reading: of `Recognizer.read`; it has an image.
        occlusion: (28, 28), of `Recognizer.occlusion_map`.
        name: of the picture.

    Raises:
        DataError: the picture can't be read.
    """
    text = textwrap.wrap(f"{in_ascii(name)[: LINES * LETTERS]}: {summary(reading)}", LETTERS)
    return _sheet(text, draw_squares(picture, reading, occlusion))


def draw_squares(picture: Picture, reading: Reading, occlusion: NDArray[np.float32]) -> dict[str, Image.Image]:
    """The picture, the network's input, and which of its ink supports the most probable class, which the second.

    Args:
        picture: what was read.
        reading: of `Recognizer.read`; it has an image.
        occlusion: (28, 28), of `Recognizer.occlusion_map`.

    Returns:
        By their titles.

    Raises:
        DataError: the picture can't be read.
    """
    assert reading.image is not None, "only a picture that can't be read has none"
    first = [f"{in_ascii(label):.12}" for label in list(reading.probabilities)[:2]]
    ink = "ink for {} (orange), for {} (blue)".format(*first) if first else "no ink"
    return {
        "the picture": _fitted(read_picture(picture, longest=SIDE).colours),
        "the network's input": _enlarged(np.repeat(reading.image[..., None], 3, axis=2)),
        ink: _enlarged(_coloured(reading.image, occlusion)),
    }


def _sheet(text: Sequence[str], squares: Mapping[str, Image.Image]) -> Image.Image:
    """Lines of text, and below them squares with their titles."""
    top = MARGIN + LINE * len(text) + MARGIN // 2
    sheet = Image.new("RGB", (MARGIN + len(squares) * (SIDE + MARGIN), top + SIDE + LINE + MARGIN), PAPER)
    pencil, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for number, line in enumerate(text):
        pencil.text((MARGIN, MARGIN + number * LINE), line, INK, font)
    for number, (title, square) in enumerate(squares.items()):
        left = MARGIN + number * (SIDE + MARGIN)
        sheet.paste(square, (left, top))
        pencil.text((left, top + SIDE + 6), title, MUTED, font)
    return sheet


def summary(reading: Reading) -> str:
    """What was read, or why nothing was, and which labels are the most probable."""
    ranked = [f"{in_ascii(label)} ({p:.1%})" for label, p in list(reading.probabilities.items())[:SHOWN]]
    if reading.problem is None:
        return f"{ranked[0]}, then {', '.join(ranked[1:])}"
    return f"{reading.problem}; nearest {', '.join(ranked)}" if ranked else reading.problem


def _fitted(colours: NDArray[np.float32]) -> Image.Image:
    """A picture in the middle of a square."""
    picture = Image.fromarray((colours * 255).round().astype(np.uint8))
    scale = SIDE / max(picture.size)
    small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    square = Image.new("RGB", (SIDE, SIDE), DESK)
    square.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    return square


def _enlarged(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _coloured(image: NDArray[np.uint8], occlusion: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image's ink on paper, in the colour of the class that it supports: uint8 (28, 28, 3)."""
    strength = (occlusion / max(float(np.abs(occlusion).max()), 1e-6))[..., None]
    hue = NEITHER + np.abs(strength) * (np.where(strength > 0, FOR, AGAINST) - NEITHER)
    ink = image[..., None] / 255
    coloured: NDArray[np.uint8] = np.rint(hue * ink + np.array(DESK) * (1 - ink)).astype(np.uint8)
    return coloured
