"""Boxes and labels over a picture: what was read, where."""

from PIL import Image, ImageDraw, ImageFont

from digitrec.inference.page import Digit, Page
from digitrec.pictures.reading import Picture, read_picture

LONGEST = 1200  # pixels of the longer side of what is drawn
SURE, UNSURE, NO_DIGIT = "#0a7d32", "#c05600", "#8a8a8a"
SURE_FROM = 0.9  # confidence


def draw_page(picture: Picture, page: Page) -> Image.Image:
    """The picture with what was read: boxes green around digits, orange around unsure ones, grey around the rest.

    Args:
        picture: what was read.
        page: what `Recognizer.read_page` made of it.

    Raises:
        DataError: the picture can't be read.
    """
    image = Image.fromarray((read_picture(picture, longest=LONGEST).colours * 255).round().astype("uint8"))
    scale = max(image.size) / max(page.width, page.height)
    pencil = ImageDraw.Draw(image)
    for line in page.lines:
        for digit in (*line.digits, *line.others):
            _draw(pencil, digit, scale)
    return image


def _draw(pencil: ImageDraw.ImageDraw, digit: Digit, scale: float) -> None:
    box, label = digit.box, digit.reading.label
    colour = NO_DIGIT if label is None else SURE if digit.reading.confidence >= SURE_FROM else UNSURE
    left, top, right, bottom = (scale * side for side in (box.x, box.y, box.right, box.bottom))
    pencil.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=colour, width=2)
    if label is not None:
        size = max(11.0, min(28.0, 0.45 * (bottom - top)))
        text = label if digit.reading.confidence >= SURE_FROM else f"{label}?"
        font = ImageFont.load_default(size)
        place = pencil.textbbox((left - 2, top - 2), text, font=font, anchor="lb" if top > size else "lt")
        pencil.rectangle((place[0] - 1, place[1] - 1, place[2] + 2, place[3] + 1), fill=colour)
        pencil.text((left - 2, top - 2), text, "white", font, anchor="lb" if top > size else "lt")
