"""What happens to a digit on its way into a picture, one function per effect.

Ink is (h, w) in [0, 1], a sheet (h, w, 3) in [0, 1]; lengths are in pixels. Draws come from `rng`.
"""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from tests.handwriting.digits import Array

Colour = tuple[float, float, float]


def placed(ink: Array, size: tuple[int, int], rng: Generator, border: float = 0.08) -> Array:
    """Ink somewhere on a canvas of (width, height), at least a share `border` of the canvas from its edges."""
    height, width = ink.shape
    free = (max(0, size[1] - height), max(0, size[0] - width))
    margins = [min(border * side, space / 2) for side, space in zip(size[::-1], free, strict=True)]
    top, left = (int(rng.uniform(m, space - m)) for m, space in zip(margins, free, strict=True))
    canvas = np.zeros((size[1], size[0]), np.float32)
    canvas[top : top + height, left : left + width] = ink[: size[1], : size[0]]
    return canvas


def at_edge(ink: Array, size: tuple[int, int], rng: Generator, gap: float) -> Array:
    """Ink `gap` pixels away from one edge of a canvas of (width, height); touching, where that is 0."""
    canvas = placed(ink, size, rng)
    rows, columns = (np.flatnonzero((canvas > 0.02).any(axis)) for axis in (1, 0))
    shifts = (
        (round(gap) - rows[0], 0),
        (size[1] - 1 - round(gap) - rows[-1], 0),
        (0, round(gap) - columns[0]),
        (0, size[0] - 1 - round(gap) - columns[-1]),
    )
    return np.roll(canvas, shifts[rng.integers(4)], axis=(0, 1))


def field(size: tuple[int, int], cells: int, rng: Generator) -> Array:
    """A smooth random surface (h, w) in [0, 1] with about `cells` hills along the longer side; size (width, height)."""
    longer = max(size)
    shape = [max(2, round(cells * side / longer) + 1) for side in size]
    coarse = Image.fromarray(rng.random((shape[1], shape[0]), dtype=np.float32))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).clip(0, 1)


def fine(size: tuple[int, int], rng: Generator) -> Array:
    """Grain (h, w) in [0, 1], a little coarser than pixels."""
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0]), dtype=np.uint8))
    return np.asarray(noise.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255


def size_of(ink: Array) -> tuple[int, int]:
    return ink.shape[1], ink.shape[0]


def specks(ink: Array, rng: Generator, count: int, largest: float) -> Array:
    """Add dirt: small blots far smaller than the digit."""
    blots = Image.new("L", size_of(ink))
    pencil = ImageDraw.Draw(blots)
    for x, y, radius in zip(*rng.random((2, count)), rng.uniform(0.5, max(0.6, largest / 2), count), strict=True):
        pencil.circle((x * ink.shape[1], y * ink.shape[0]), radius, fill=int(rng.integers(120, 256)))
    return np.maximum(ink, np.asarray(blots, np.float32) / 255)


def intruder(ink: Array, rng: Generator, pen: float) -> Array:
    """Add a bit of a neighbour's stroke that enters at the left or the right edge."""
    width, height = size_of(ink)
    y = rng.uniform(0.1, 0.9, 2) * height
    depth = rng.uniform(0.02, 0.06) * width
    xs = (-pen, depth, -pen) if rng.random() < 0.5 else (width + pen, width - depth, width + pen)
    stroke = Image.new("L", (width, height))
    pencil = ImageDraw.Draw(stroke)
    corners = [(xs[0], y[0]), (xs[1], y.mean()), (xs[2], y[1])]
    pencil.line(corners, fill=255, width=max(1, round(pen)), joint="curve")
    return np.maximum(ink, np.asarray(stroke, np.float32) / 255)


def broken(ink: Array, rng: Generator, depth: float, cells: int = 0) -> Array:
    """Let the paper's grain show through, as pencil and chalk do; `cells`: patches where the pen runs dry."""
    grain = fine(size_of(ink), rng)
    texture = ((grain - 0.42) * 6).clip(0, 1)
    dry = field(size_of(ink), cells, rng) if cells else np.ones_like(ink)
    return ink * (1 - depth * texture * dry)


def soft(ink: Array, radius: float) -> Array:
    """Blur ink by a Gaussian of `radius` pixels."""
    image = Image.fromarray((ink * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def paper(size: tuple[int, int], colour: Colour, rng: Generator, grain: float = 0.02) -> Array:
    """A sheet of one colour with a little grain."""
    sheet = np.empty((size[1], size[0], 3), np.float32)
    sheet[:] = colour
    return sheet + grain * (fine(size, rng)[..., None] - 0.5)


def ruled(
    sheet: Array, spacing: float, colour: Colour, rng: Generator, upright: bool = False, thickness: float | None = None
) -> Array:
    """Print lines on a sheet, level or upright, `spacing` pixels apart; a 45th of that `thickness` by default."""
    length = sheet.shape[1] if upright else sheet.shape[0]
    place = np.arange(length, dtype=np.float32) - rng.uniform(0, spacing)
    away = np.abs((place + spacing / 2) % spacing - spacing / 2)
    line = np.clip((thickness or max(1.0, spacing / 45)) / 2 + 0.5 - away, 0, 1)
    return written(sheet, np.broadcast_to(line if upright else line[:, None], sheet.shape[:2]), colour)


def margin(sheet: Array, place: float, thickness: float, colour: Colour) -> Array:
    """Print a margin line, upright, at a share `place` of the width."""
    x = np.arange(sheet.shape[1], dtype=np.float32) - place * sheet.shape[1]
    line = np.clip(thickness / 2 + 0.5 - np.abs(x), 0, 1)
    return written(sheet, np.broadcast_to(line, sheet.shape[:2]), colour)


def framed(sheet: Array, box: tuple[float, float, float, float], thickness: float, colour: Colour) -> Array:
    """Print a rectangle's outline; `box`: left, top, right, bottom in pixels."""
    outline = Image.new("L", (sheet.shape[1], sheet.shape[0]))
    ImageDraw.Draw(outline).rectangle(box, outline=255, width=max(1, round(thickness)))
    return written(sheet, np.asarray(outline, np.float32) / 255, colour)


def creased(sheet: Array, rng: Generator, count: int, depth: float) -> Array:
    """Fold the sheet and flatten it again: each crease lighter on one side and darker on the other."""
    height, width = sheet.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for angle, place in zip(rng.uniform(0, np.pi, count), rng.uniform(-0.4, 0.4, count), strict=True):
        away = np.cos(angle) * (x - width / 2) + np.sin(angle) * (y - height / 2) - place * max(size_of(sheet))
        away = (away + 6 * field((width, height), 6, rng)) / (max(width, height) / 60)
        sheet = sheet * (1 - depth * (away * np.exp(-away * away / 2)))[..., None]
    return sheet


def on_desk(sheet: Array, rng: Generator, colour: Colour, edge: float) -> Array:
    """Let the desk show beyond one upright and perhaps one level edge, each up to a share `edge` of the picture."""
    height, width = sheet.shape[:2]
    x, y = np.arange(width) / width, np.arange(height)[:, None] / height
    beyond_x = (x if rng.random() < 0.5 else 1 - x) < rng.uniform(0.03, edge)
    beyond_y = (y if rng.random() < 0.5 else 1 - y) < rng.uniform(0.03, edge) * rng.integers(2)
    desk = paper((width, height), colour, rng, 0.08) * (0.8 + 0.4 * field((width, height), 9, rng)[..., None])
    return np.where((beyond_x | beyond_y)[..., None], desk, sheet)


def written(sheet: Array, ink: Array, colour: Colour) -> Array:
    """Ink that lets the sheet shine through: ballpoint, pencil, print."""
    return sheet * (1 - ink[..., None] * (1 - np.asarray(colour, np.float32)))


def covered(sheet: Array, ink: Array, colour: Colour) -> Array:
    """Ink that hides the sheet: chalk, paint, a screen's pixels."""
    return sheet + ink[..., None] * (np.asarray(colour, np.float32) - sheet)


def smudged(sheet: Array, rng: Generator, depth: float) -> Array:
    """Wiped chalk: broad brighter clouds."""
    clouds = field((sheet.shape[1], sheet.shape[0]), 5, rng)
    return sheet + depth * clouds[..., None]


def _across(sheet: Array, angle: float) -> Array:
    """How far each pixel lies from the middle in the direction of an angle, in sides of the sheet."""
    height, width = sheet.shape[:2]
    x, y = np.linspace(-0.5, 0.5, width, dtype=np.float32), np.linspace(-0.5, 0.5, height, dtype=np.float32)
    across: Array = np.cos(angle) * x + np.sin(angle) * y[:, None]
    return across


def lit(sheet: Array, rng: Generator, depth: float) -> Array:
    """A lamp on one side: darker by up to `depth` on the other, and warmer or colder."""
    slope = _across(sheet, rng.uniform(0, 2 * np.pi))
    brightness = 1 - depth * (0.5 + 0.6 * slope + 0.12 * (field(size_of(sheet), 2, rng) - 0.5))
    warmth = rng.uniform(-0.05, 0.05)
    return sheet * brightness[..., None] * np.array([1 + warmth, 1, 1 - warmth], np.float32)


def shaded(sheet: Array, rng: Generator, depth: float) -> Array:
    """The soft-edged shadow of a hand or a phone over part of the sheet."""
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2)
    bent = 0.15 * (field(size_of(sheet), 2, rng) - 0.5)
    side: Array = (_across(sheet, angle) - offset + bent) / rng.uniform(0.04, 0.2)
    return sheet * (1 - depth / (1 + np.exp(-4 * side)))[..., None]


def tilted(sheet: Array, rng: Generator, degrees: float, perspective: float = 0.0) -> Array:
    """Take the sheet from an angle; it is enlarged until it fills the picture again."""
    height, width = sheet.shape[:2]
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) - 0.5
    corners = corners * (1 - perspective * rng.random((4, 2))) * [width, height]
    shrink = 1 / (np.cos(angle) + abs(np.sin(angle)) * max(width / height, height / width))
    turn = shrink * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    quad = corners @ turn.T + [width / 2, height / 2]
    picture = Image.fromarray(to_bytes(sheet))
    taken = picture.transform((width, height), Image.Transform.QUAD, quad.ravel().tolist(), Image.Resampling.BICUBIC)
    return np.asarray(taken, np.float32) / 255


def blurred(sheet: Array, radius: float) -> Array:
    """Out of focus by a Gaussian of `radius` pixels."""
    picture = Image.fromarray(to_bytes(sheet)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(picture, np.float32) / 255


def noisy(sheet: Array, rng: Generator, deviation: float) -> Array:
    """A camera's noise, independent in pixels and colours."""
    return sheet + deviation * rng.standard_normal(sheet.shape, dtype=np.float32)


def to_bytes(sheet: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Values in [0, 1], or a little beyond, as bytes."""
    return (sheet * 255 + 0.5).clip(0, 255).astype(np.uint8)
