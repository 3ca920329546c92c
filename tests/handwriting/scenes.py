"""Where a sheet lies and how it is looked at: desks, a camera over them, hard light, a program's window.

Sheets are (h, w, 3) in [0, 1], sizes (width, height), lengths in pixels. Draws come from `rng`.
"""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.handwriting.digits import Array
from tests.handwriting.effects import Colour, field, fine, size_of, to_bytes

BICUBIC = Image.Resampling.BICUBIC


def desk(size: tuple[int, int], rng: Generator) -> Array:
    """Wood, stone or cloth from above, dark or bright."""
    pattern = [_wood, _stone, _cloth][rng.integers(3)](size, rng)
    colour = [(0.33, 0.2, 0.12), (0.62, 0.46, 0.3), (0.17, 0.18, 0.2), (0.45, 0.46, 0.48)][rng.integers(4)]
    return np.asarray(colour, np.float32) * (1 + 0.5 * (pattern - 0.5))[..., None]


def _wood(size: tuple[int, int], rng: Generator) -> Array:
    """Grain along the boards, and the gaps between these."""
    grain = rng.random((max(2, size[1] // 6), max(2, size[0] // 150)), dtype=np.float32)
    streaks = np.asarray(Image.fromarray(grain).resize(size, BICUBIC))
    board = max(60, int(size[1] * rng.uniform(0.12, 0.4)))
    gap = (np.arange(size[1]) + rng.integers(board)) % board < 3
    return np.where(gap[:, None], -0.4, 0.7 * streaks + 0.3 * field(size, 4, rng)).astype(np.float32)


def _stone(size: tuple[int, int], rng: Generator) -> Array:
    return sum((field(size, cells, rng) for cells in (3, 12, 50)), 0.4 * fine(size, rng)) / np.float32(3.4)


def _cloth(size: tuple[int, int], rng: Generator) -> Array:
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    thread = rng.uniform(4, 7)
    weave: Array = 0.25 * np.sin(2 * np.pi * x / thread) * np.sin(2 * np.pi * y / thread)
    return 0.5 + weave + 0.4 * (field(size, 5, rng) - 0.5)


def laid(table: Array, sheet: Array, rng: Generator, degrees: float) -> Array:
    """A sheet in the middle of a table, turned by up to `degrees`, with the shadow that it casts."""
    note = Image.fromarray(to_bytes(sheet)).convert("RGBA").rotate(rng.uniform(-degrees, degrees), BICUBIC, expand=True)
    whole = Image.fromarray(to_bytes(table))
    place = (whole.width - note.width) // 2, (whole.height - note.height) // 2
    shade = Image.new("L", whole.size)
    thick = max(sheet.shape) / 80
    aside = rng.uniform(-thick, thick, 2).round().astype(int)
    shade.paste(note.getchannel("A"), (place[0] + int(aside[0]), place[1] + int(aside[1])))
    soft = np.asarray(shade.filter(ImageFilter.GaussianBlur(thick)), np.float32)[..., None] / 255
    shaded = Image.fromarray(to_bytes(np.asarray(whole, np.float32) / 255 * (1 - 0.5 * soft)))
    shaded.paste(note, place, note)
    return np.asarray(shaded, np.float32) / 255


def seen(plane: Array, size: tuple[int, int], pitch: float, turn: float, zoom: float = 1.0) -> Array:
    """A picture of a plane by a camera that looks at its middle.

    Args:
        plane: from straight above; large enough for what the camera sees of it.
        size: of the picture. The focal length is its longer side, as a phone's.
        pitch: degrees between the camera's axis and the upright over the plane.
        turn: degrees by which the camera is turned about that upright.
        zoom: pixels of the plane in one of the picture's, in its middle.
    """
    tilt, angle = np.deg2rad(pitch), np.deg2rad(turn)
    middle = np.array([[1, 0, -size[0] / 2], [0, 1, -size[1] / 2], [0, 0, 1]])
    ray = np.array([[zoom * np.cos(tilt), 0, 0], [0, zoom, 0], [0, np.sin(tilt) / max(size), np.cos(tilt)]])
    turned, height, width = (np.cos(angle), np.sin(angle)), *plane.shape[:2]
    onto = np.array([[turned[0], -turned[1], width / 2], [turned[1], turned[0], height / 2], [0, 0, 1]])
    through = onto @ ray @ middle
    taken = Image.fromarray(to_bytes(plane)).transform(
        size, Image.Transform.PERSPECTIVE, (through / through[2, 2]).ravel()[:8].tolist(), BICUBIC
    )
    return np.asarray(taken, np.float32) / 255


def sharply_shaded(sheet: Array, rng: Generator, depth: float) -> Array:
    """The hard-edged shadow of a phone in the sun over a part of the sheet, or of a window's bar across it."""
    height, width = sheet.shape[:2]
    angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2) * min(height, width)
    x, y = np.arange(width, dtype=np.float32) - width / 2, np.arange(height, dtype=np.float32)[:, None] - height / 2
    away: Array = np.cos(angle) * x + np.sin(angle) * y - place
    bar = rng.uniform(0.1, 0.3) * min(height, width)
    away = away if rng.random() < 0.6 else bar / 2 - np.abs(away)
    return sheet * (1 - depth * (away / rng.uniform(1, 3) + 0.5).clip(0, 1))[..., None]


def in_window(canvas: Array, rng: Generator, bar: Colour, sign: Colour) -> Array:
    """A drawing program's window around its canvas: a bar of words and signs above, pens to choose from below."""
    width, height = size_of(canvas)
    thick = max(24, height // 11)
    above, below = (Image.new("RGB", (width, thick), _bytes(bar)) for _ in range(2))
    pencil = ImageDraw.Draw(above)
    font = ImageFont.load_default(thick * 0.45)
    pencil.text((thick * 0.4, thick / 2), str(rng.choice(["Notes", "Sketch 3", "untitled"])), _bytes(sign), font, "lm")
    for number in range(3):
        x, reach = width - (number + 0.7) * 0.8 * thick, 0.17 * thick
        pencil.line((x - reach, thick / 2, x + reach, thick / 2), _bytes(sign), max(1, thick // 16))
        if number % 2:
            pencil.line((x, thick / 2 - reach, x, thick / 2 + reach), _bytes(sign), max(1, thick // 16))
    pens = ImageDraw.Draw(below)
    for number, colour in enumerate(("#e6e6e6", "#e5534b", "#57ab5a", "#539bf5", "#c69026")):
        pens.circle((width / 2 + (number - 2) * 0.9 * thick, thick / 2), 0.22 * thick, colour)
    return np.concatenate([np.asarray(above, np.float32) / 255, canvas, np.asarray(below, np.float32) / 255])


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colour)
    return red, green, blue
