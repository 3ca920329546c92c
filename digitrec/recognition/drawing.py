"""Boxes and labels over a picture: what was read, where."""

import unicodedata

from PIL import Image, ImageDraw, ImageFont

from digitrec.preprocessing.picture import Picture, read_picture
from digitrec.recognition.page import Digit, Page
from digitrec.system.wording import printable

LONGEST = 1200  # pixels of the longer side of what is drawn
SURE, UNSURE, NO_DIGIT = "#0a7d32", "#c05600", "#8a8a8a"
SURE_FROM = 0.9  # confidence
SEEN, APART, BELOW = 56, 12, 22  # pixels: a network's input, twice its size; between two, and for the text below
TEXT = 14  # pixels of its height


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


def draw_page_with_inputs(picture: Picture, page: Page) -> Image.Image:
    """The picture with boxes, as `draw_page` draws it, and below it the network's inputs, line by line.

    Args and errors are those of `draw_page`.
    """
    drawn = draw_page(picture, page)
    across = max(1, (drawn.width - APART) // (SEEN + APART))
    lines = [line.from_left for line in page.lines]
    rows = [line[start : start + across] for line in lines for start in range(0, len(line), across)]
    size = max(drawn.width, SEEN + 2 * APART), drawn.height + len(rows) * (APART + SEEN + BELOW) + APART * bool(rows)
    sheet = Image.new("RGB", size, "white")
    sheet.paste(drawn)
    pencil, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for row, digits in enumerate(rows):
        for column, digit in enumerate(digits):
            place = APART + column * (SEEN + APART), drawn.height + APART + row * (APART + SEEN + BELOW)
            if digit.reading.image is not None:
                sheet.paste(Image.fromarray(digit.reading.image).resize((SEEN, SEEN), Image.Resampling.NEAREST), place)
            label = digit.reading.label
            text = "-" if label is None else f"{in_ascii(label):.6} {digit.reading.confidence:.0%}"
            pencil.text((place[0] + SEEN / 2, place[1] + SEEN + 4), text, _colour(digit), font, anchor="mt")
    return sheet


def in_ascii(name: str) -> str:
    """A name in the letters that Pillow's own font has, which are those of ASCII; the codes of others."""
    letters = (char for char in unicodedata.normalize("NFKD", printable(name)) if not unicodedata.combining(char))
    return "".join(letters).encode("ascii", "backslashreplace").decode()


def _colour(digit: Digit) -> str:
    if digit.reading.label is None:
        return NO_DIGIT
    return SURE if digit.reading.confidence >= SURE_FROM else UNSURE


def _draw(pencil: ImageDraw.ImageDraw, digit: Digit, scale: float) -> None:
    box, label = digit.box, digit.reading.label
    colour = _colour(digit)
    left, top, right, bottom = (scale * side for side in (box.x, box.y, box.right, box.bottom))
    pencil.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=colour, width=2)
    if label is not None:
        size = max(11.0, min(28.0, 0.45 * (bottom - top)))
        text = in_ascii(label) + ("" if digit.reading.confidence >= SURE_FROM else "?")
        font = ImageFont.load_default(size)
        place = pencil.textbbox((left - 2, top - 2), text, font=font, anchor="lb" if top > size else "lt")
        pencil.rectangle((place[0] - 1, place[1] - 1, place[2] + 2, place[3] + 1), fill=colour)
        pencil.text((left - 2, top - 2), text, "white", font, anchor="lb" if top > size else "lt")
