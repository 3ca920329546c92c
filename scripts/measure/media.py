"""Pictures of digits that made-up people wrote, in several media.

Nothing here is shared with what trains the network (`digitrec/data/`) or with the other stand-ins: each person's pen
paths are written down in `people.txt`, and the media are files as programs and machines leave them.
"""

import io
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw

from scripts.measure.people import Array, Strokes, hurried, people, pressed, written
from tests.handwriting import effects as e

INKS = ((0.06, 0.06, 0.08), (0.08, 0.12, 0.47), (0.12, 0.16, 0.63), (0.04, 0.08, 0.31))
BRIGHT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.86, 0.12, 0.12), (0.0, 0.35, 1.0), (0.98, 0.78, 0.08))


def ink(strokes: Strokes, size: tuple[int, int], height: float, pen: float, rng: Generator, fine: int = 4) -> Array:
    """Ink (H, W) in [0, 1] of strokes somewhere on a canvas of (width, height); `fine` 1 has stair-stepped edges."""
    points = np.concatenate(strokes)[:, :2]
    least, most = points.min(0), points.max(0)
    scale = min(height / (most - least)[1], 0.94 * size[0] / (most - least)[0])
    free = np.array(size) - (most - least) * scale
    start = free * rng.uniform(0.1, 0.9, 2) - least * scale
    sheet = Image.new("L", (size[0] * fine, size[1] * fine))
    pencil = ImageDraw.Draw(sheet)
    for stroke in strokes:
        places, widths = (stroke[:, :2] * scale + start) * fine, stroke[:, 2] * pen * fine
        for (one, other), width in zip(pairwise(places), widths, strict=False):
            pencil.line([*one, *other], 255, max(1, round(width)))
            if width > 2:
                pencil.circle(tuple(other), width / 2, 255)
    return np.asarray(sheet.reduce(fine), np.float32) / 255


def _rgb(sheet: Array) -> Image.Image:
    return Image.fromarray(e.to_bytes(sheet))


def mouse(strokes: Strokes, rng: Generator) -> Image.Image:
    """A paint program: stair-stepped, one to five pixels, small or large, anywhere."""
    width = int(rng.integers(300, 1001))
    size = width, int(width * rng.uniform(0.6, 1))
    tall = size[1] * (rng.uniform(0.12, 0.3) if rng.random() < 0.5 else rng.uniform(0.5, 0.9))
    return Image.fromarray(e.to_bytes(1 - ink(hurried(strokes, rng), size, tall, int(rng.integers(1, 6)), rng, 1)))


def canvas(strokes: Strokes, rng: Generator) -> Image.Image:
    """A page's canvas: any colour, transparent around it."""
    side = int(rng.integers(200, 501))
    alpha = ink(hurried(strokes, rng), (side, side), side * rng.uniform(0.35, 0.9), side * rng.uniform(0.01, 0.06), rng)
    image = _rgb(np.broadcast_to(np.array(BRIGHT[rng.integers(5)]), (side, side, 3)))
    image.putalpha(Image.fromarray(e.to_bytes(alpha)))
    return image


def thin(strokes: Strokes, rng: Generator) -> Image.Image:
    """One or two pixels on a canvas of 1,000 to 2,000."""
    width = int(rng.integers(1000, 2001))
    size = width, int(width * rng.uniform(0.6, 1))
    return Image.fromarray(
        e.to_bytes(1 - ink(strokes, size, size[1] * rng.uniform(0.35, 0.9), float(rng.integers(1, 3)), rng, 1))
    )


def pad(strokes: Strokes, rng: Generator) -> Image.Image:
    """A piece of a scanned legal pad, a few lines high."""
    space = rng.uniform(30, 110)
    tall = space * rng.uniform(0.8, 2.2)
    size = int(tall * rng.uniform(1.3, 3)) + 40, int(tall * rng.uniform(1.3, 3)) + 40
    sheet = e.paper(size, (0.96, 0.91, rng.uniform(0.52, 0.7)), rng, 0.04)
    sheet = e.ruled(sheet, space, (0.4, 0.56, 0.78), rng, thickness=space * rng.uniform(0.02, 0.05))
    sheet = e.margin(sheet, rng.uniform(0.02, 0.2), 3, (0.85, 0.35, 0.4))
    pen = e.broken(ink(strokes, size, tall, space * rng.uniform(0.05, 0.09), rng), rng, 0.3)
    return _rgb(e.blurred(e.written(sheet, pen, INKS[rng.integers(4)]), rng.uniform(0.5, 1)))


def phone(strokes: Strokes, rng: Generator) -> Image.Image:
    """White paper in uneven light."""
    size = int(rng.integers(500, 900)), int(rng.integers(500, 900))
    tall = size[1] * rng.uniform(0.25, 0.65)
    sheet = e.written(
        e.paper(size, (0.9, 0.9, 0.86), rng), ink(strokes, size, tall, tall * 0.05, rng, 2), INKS[rng.integers(4)]
    )
    return _rgb(e.noisy(e.blurred(e.lit(e.tilted(sheet, rng, 4, 0.1), rng, 0.4), rng.uniform(0.5, 2)), rng, 0.02))


def pencil_(strokes: Strokes, rng: Generator) -> Image.Image:
    """Pale and grainy."""
    size = int(rng.integers(200, 700)), int(rng.integers(200, 700))
    tall = size[1] * rng.uniform(0.3, 0.75)
    grey = e.broken(ink(pressed(strokes, rng), size, tall, max(2, tall * 0.035), rng), rng, 0.7)
    return _rgb(e.noisy(e.written(e.paper(size, (0.9, 0.9, 0.9), rng), grey, (0.5, 0.5, 0.5)), rng, 0.01))


def brush(strokes: Strokes, rng: Generator) -> Image.Image:
    """A broad marker."""
    size = int(rng.integers(250, 700)), int(rng.integers(250, 700))
    tall = size[1] * rng.uniform(0.5, 0.8)
    return _rgb(
        e.written(
            e.paper(size, (0.95, 0.95, 0.95), rng), ink(strokes, size, tall, tall * 0.13, rng, 2), INKS[rng.integers(4)]
        )
    )


def cut_out(strokes: Strokes, rng: Generator) -> Image.Image:
    """Cut along the ink, and sometimes into it."""
    tall = rng.uniform(80, 400)
    whole = ink(strokes, (int(tall * 2.4), int(tall * 1.5)), tall, tall * rng.uniform(0.03, 0.09), rng)
    rows, columns = (np.flatnonzero((whole > 0.5).any(axis)) for axis in (1, 0))
    shift = int(tall * rng.uniform(-0.02, 0.03))
    box = columns[0] - shift, rows[0] - shift, columns[-1] + 1 + shift, rows[-1] + 1 + shift
    return Image.fromarray(e.to_bytes(1 - whole)).crop(box)


def dark(strokes: Strokes, rng: Generator) -> Image.Image:
    """Light on dark."""
    side = int(rng.integers(100, 800))
    drawn = ink(hurried(strokes, rng), (side, side), side * rng.uniform(0.3, 0.85), side * rng.uniform(0.01, 0.06), rng)
    return _rgb(e.covered(np.full((side, side, 3), 0.1, np.float32), drawn, (1.0, 0.95, rng.uniform(0.4, 1))))


def tiny(strokes: Strokes, rng: Generator) -> Image.Image:
    """Some 28 to 64 pixels in all."""
    side = int(rng.integers(28, 65))
    return Image.fromarray(e.to_bytes(1 - ink(strokes, (side, side), side * rng.uniform(0.5, 0.9), side * 0.06, rng)))


MEDIA: dict[str, Callable[[Strokes, Generator], Image.Image]] = {
    "mouse": mouse, "canvas": canvas, "thin": thin, "pad": pad, "phone": phone, "pencil": pencil_,
    "brush": brush, "cut out": cut_out, "dark": dark, "tiny": tiny,
}  # fmt: skip


def file(person: str, label: int, medium: str, take: int = 0) -> bytes:
    """A picture's file, a pure function of its arguments: JPEG from a phone or a scanner, else PNG."""
    rng = default_rng([list(people()).index(person), label, list(MEDIA).index(medium), take])
    stream = io.BytesIO()
    kind = "JPEG" if medium in ("pad", "phone") else "PNG"
    MEDIA[medium](written(people()[person], label, rng), rng).save(stream, kind, quality=int(rng.integers(60, 93)))
    return stream.getvalue()
