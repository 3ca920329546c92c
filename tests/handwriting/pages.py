"""Pages of several digits, composed from a data set's images: what is written, on which paper, and how it was taken."""

import zlib
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from digitrec.data import datasets
from digitrec.preprocessing.boxes import Box
from tests.handwriting import effects as e
from tests.handwriting import scenes
from tests.handwriting.digits import SHARPEST, Array, cropped, enlarged

PAPER = (0.97, 0.97, 0.95)
PEN = (0.12, 0.13, 0.3)


class Source(NamedTuple):
    """Whose digits: a data set, one of its splits, and from which image on."""

    name: str = "mnist"
    split: Literal["train", "test"] = "test"
    first: int = 0


TEST = Source()


class Page(NamedTuple):
    """A picture, the text that is written on it, and the box of each digit before the picture was taken."""

    picture: Image.Image
    text: str
    boxes: list[Box]


class Layout(NamedTuple):
    """How digits are set: lengths in heights of a digit.

    Attributes:
        words: of each line, the numbers of digits of its words.
        space: between digits, from the lowest to the highest; None pushes them together until they touch.
        nested: how far a digit may be pushed over the end of the one before it.
        lines: number of lines, from the lowest to the highest.
        jump: how far a digit may lie above or below the line.
        slope: how far a line may rise or sink, per length.
        slant: how far the top of digits may lean to a side, per height.
    """

    words: tuple[tuple[int, ...], ...] = ((5,), (3, 4), (4,), (2, 3, 2))
    space: tuple[float, float] | None = (0.12, 0.35)
    nested: float = 0.1
    lines: tuple[int, int] = (1, 3)
    jump: float = 0.05
    slope: float = 0.01
    slant: float = 0.0


@cache
def _images(source: Source) -> tuple[Array, Array]:
    images, labels = datasets.load(source.name, source.split)
    return images[source.first :, 0].numpy(), labels[source.first :].numpy()


def _glyph(rng: Generator, source: Source, height: int, slant: float) -> tuple[str, Array]:
    """A digit's label and its ink, as high as it stands among others: MNIST made all of them equally long."""
    images, labels = _images(source)
    number = int(rng.integers(len(labels)))
    image = cropped(images[number].astype(np.float32) / 255)
    tall = max(8, round(height * image.shape[0] / max(image.shape)))
    return str(labels[number]), _leaning(enlarged(image, tall, SHARPEST[source.name]), slant)


def _leaning(ink: Array, slant: float) -> Array:
    if not slant:
        return ink
    height = len(ink)
    more = int(abs(slant) * height) + 1
    wide = Image.fromarray(np.pad(ink, ((0, 0), (more, more))).astype(np.float32))
    shear = (1, slant, -slant * height / 2, 0, 1, 0)
    bent = wide.transform(wide.size, Image.Transform.AFFINE, shear, Image.Resampling.BICUBIC)
    return cropped(np.asarray(bent).clip(0, 1))


def compose(layout: Layout, rng: Generator, source: Source, height: int) -> tuple[Array, str, list[Box]]:
    """Write lines of digits: ink of a page, its text and the digits' boxes."""
    rows = [_line(layout, rng, source, height) for _ in range(int(rng.integers(layout.lines[0], layout.lines[1] + 1)))]
    margin = int(rng.uniform(0.5, 1.2) * height)
    pitch = [int(rng.uniform(1.45, 2.0) * height) for _ in rows]
    indents = [int(rng.uniform(0, 0.6) * height) for _ in rows]
    width = max(ink.shape[1] + indent for (ink, _, _), indent in zip(rows, indents, strict=True)) + 2 * margin
    canvas = np.zeros((sum(pitch) + 2 * margin + height, width), np.float32)
    boxes, top = [], margin
    for (ink, _, of_line), indent, step in zip(rows, indents, pitch, strict=True):
        part = canvas[top : top + ink.shape[0], margin + indent : margin + indent + ink.shape[1]]
        np.maximum(part, ink[: len(part)], out=part)
        boxes += [Box(box.x + margin + indent, box.y + top, box.width, box.height) for box in of_line]
        top += step
    return canvas, "\n".join(text for _, text, _ in rows), boxes


def _line(layout: Layout, rng: Generator, source: Source, height: int) -> tuple[Array, str, list[Box]]:
    words = layout.words[rng.integers(len(layout.words))]
    slant, slope = rng.uniform(-layout.slant, layout.slant), rng.uniform(-layout.slope, layout.slope)
    room = (round(height * 2.2), round(height * 2.0 * (sum(words) + len(words))))
    canvas = np.zeros(room, np.float32)
    text, boxes, right = "", [], 0
    for place, count in enumerate(words):
        right += int(rng.uniform(0.9, 1.3) * height) if place else 0
        text += " " if place else ""
        for number in range(count):
            label, ink = _glyph(rng, source, height, slant + rng.uniform(-0.1, 0.1) * bool(layout.slant))
            middle = room[0] / 2 + slope * right + rng.uniform(-layout.jump, layout.jump) * height
            top = int(np.clip(middle + height / 2 - ink.shape[0], 0, room[0] - ink.shape[0]))
            left = _beside(canvas, ink, top, right, layout, rng, height) if number else right
            part = canvas[top : top + ink.shape[0], left : left + ink.shape[1]]
            np.maximum(part, ink, out=part)
            boxes.append(Box(left, top, ink.shape[1], ink.shape[0]))
            text, right = text + label, left + ink.shape[1]
    return canvas[:, :right], text, boxes


def _beside(canvas: Array, ink: Array, top: int, right: int, layout: Layout, rng: Generator, height: int) -> int:
    """Where the next digit begins: after some space, or so that it touches the ink on its left."""
    if layout.space is not None:
        return right + int(rng.uniform(*layout.space) * height)
    rows = canvas[top : top + ink.shape[0]] > 0.5
    ends = np.where(rows.any(axis=1), rows.shape[1] - rows[:, ::-1].argmax(axis=1), 0)
    begins = np.where((ink > 0.5).any(axis=1), (ink > 0.5).argmax(axis=1), ink.shape[1])
    touching = int((ends - begins).max())
    return max(int(right - layout.nested * height), touching - max(1, round(rng.uniform(0.0, 0.04) * height)))


Taker = Callable[[Array, Generator, int], Image.Image]


def _rgb(sheet: Array) -> Image.Image:
    return Image.fromarray(e.to_bytes(sheet))


def _with_room(ink: Array, share: float) -> Array:
    """Paper around it, so that no digit leaves the picture when it is taken from an angle."""
    return np.pad(ink, [(round(share * side), round(share * side)) for side in ink.shape])


def _sheet(ink: Array, rng: Generator) -> Array:
    return e.paper(e.size_of(ink), PAPER, rng)


def clean(ink: Array, rng: Generator, height: int) -> Image.Image:
    return Image.fromarray(e.to_bytes(1 - ink))


def ruled(ink: Array, rng: Generator, height: int) -> Image.Image:
    """Yellow paper, blue lines and a red margin."""
    ink = _with_room(ink, 0.03)
    sheet = e.paper(e.size_of(ink), (0.99, 0.94, 0.65), rng, 0.03)
    sheet = e.ruled(sheet, rng.uniform(0.9, 1.6) * height, (0.55, 0.68, 0.8), rng)
    sheet = e.margin(sheet, rng.uniform(0.01, 0.05), 3, (0.9, 0.45, 0.45))
    return _rgb(e.noisy(e.blurred(e.tilted(e.written(sheet, ink, PEN), rng, 2), 0.6), rng, 0.008))


def shadow(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A lamp on one side, and the phone's shadow."""
    sheet = e.lit(e.written(_sheet(ink, rng), ink, PEN), rng, 0.35)
    return _rgb(e.shaded(sheet, rng, rng.uniform(0.3, 0.5)))


def noise(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A camera in dim light: blurred and noisy, with specks."""
    ink = e.specks(ink, rng, int(rng.integers(5, 25)), height / 12)
    return _rgb(e.noisy(e.blurred(e.written(_sheet(ink, rng), ink, PEN), 1.2) * 0.7, rng, 0.05))


def perspective(ink: Array, rng: Generator, height: int) -> Image.Image:
    """Taken from an angle."""
    ink = _with_room(ink, 0.16)
    sheet = e.written(_sheet(ink, rng), ink, PEN)
    return _rgb(e.blurred(e.tilted(sheet, rng, 5, perspective=0.22), 0.7))


def cells(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A printed table around it: lines between the rows of the page, and a box around all."""
    sheet, (width, tall) = _sheet(ink, rng), e.size_of(ink)
    gap = 0.12 * height
    sheet = e.framed(sheet, (gap, gap, width - gap, tall - gap), max(1.0, height / 30), (0.35, 0.35, 0.4))
    return _rgb(e.noisy(e.written(sheet, ink, PEN), rng, 0.01))


def all_at_once(ink: Array, rng: Generator, height: int) -> Image.Image:
    """Ruled yellow paper, a shadow, noise, and taken from an angle."""
    ink = _with_room(ink, 0.08)
    sheet = e.paper(e.size_of(ink), (0.99, 0.94, 0.65), rng, 0.03)
    sheet = e.ruled(sheet, rng.uniform(0.9, 1.6) * height, (0.55, 0.68, 0.8), rng)
    sheet = e.tilted(e.written(sheet, ink, PEN), rng, 3, perspective=0.1)
    return _rgb(e.noisy(e.blurred(e.shaded(e.lit(sheet, rng, 0.2), rng, 0.3), 0.8), rng, 0.02))


def in_the_sun(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A shadow with a hard edge across the page."""
    sheet = scenes.sharply_shaded(e.written(_sheet(ink, rng), ink, PEN), rng, rng.uniform(0.3, 0.55))
    return _rgb(e.noisy(e.blurred(sheet, 0.7), rng, 0.01))


def on_screen(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A drawing program in dark mode, its bars included."""
    canvas = e.covered(np.full((*ink.shape, 3), 0.08, np.float32), ink, (0.9, 0.9, 0.8))
    return _rgb(scenes.in_window(canvas, rng, (0.14, 0.14, 0.15), (0.6, 0.6, 0.62)))


def on_desk(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A note on a desk, taken from an angle."""
    ink = _with_room(ink, 0.08)
    note = e.written(_sheet(ink, rng), ink, PEN)
    size = round(1.3 * ink.shape[1]), round(1.3 * ink.shape[0])
    table = scenes.laid(scenes.desk((round(1.65 * max(size)),) * 2, rng), note, rng, 8)
    taken = scenes.seen(table, size, rng.uniform(5, 30), rng.uniform(-4, 4), 1.05)
    return _rgb(e.noisy(e.blurred(e.lit(taken, rng, 0.2), 0.7), rng, 0.01))


def dotted(ink: Array, rng: Generator, height: int) -> Image.Image:
    """Squares of printed dots, each a fiftieth as high as a digit, with some grain."""
    ink = _with_room(ink, 0.05)
    pitch, apart, dot = rng.uniform(0.9, 1.3) * height, max(4, height // 10), max(2, height // 40)
    grid = np.zeros_like(ink)
    for turned in (grid, grid.T):
        for line in np.arange(pitch / 2, len(turned) - dot, pitch):
            for place in range(0, turned.shape[1] - dot, apart):
                turned[int(line) : int(line) + dot, place : place + dot] = 0.8
    return _rgb(e.noisy(e.written(_sheet(ink, rng), np.maximum(ink, grid), PEN), rng, 0.02))


def beyond_edge(ink: Array, rng: Generator, height: int) -> Image.Image:
    """A sheet that nearly fills the picture: dark table along two of its edges, slightly askew."""
    ink = _with_room(ink, 0.12)
    sheet = e.written(_sheet(ink, rng), ink, PEN)
    down, across = np.mgrid[: len(ink), : ink.shape[1]]
    wide = 0.05 * min(ink.shape)
    slopes = rng.uniform(-0.01, 0.01, 2)
    table = (across + slopes[0] * down < wide) | (down + slopes[1] * across < wide)
    sheet[table] = rng.uniform(0.15, 0.3)
    return _rgb(e.noisy(e.blurred(sheet, 0.7), rng, 0.01))


class Effect(NamedTuple):
    """How pages are written and taken."""

    take: Taker
    layout: Layout = Layout()


EFFECTS = {
    "clean": Effect(clean),
    "ruled paper": Effect(ruled),
    "shadow": Effect(shadow),
    "noise": Effect(noise),
    "slanted writing": Effect(clean, Layout(slant=0.45, slope=0.12, jump=0.1)),
    "perspective": Effect(perspective),
    "touching digits": Effect(clean, Layout(space=None)),
    "crowded digits": Effect(clean, Layout(space=None, nested=0.45)),
    "column": Effect(clean, Layout(words=((1,), (2,), (3,), (4,)), lines=(5, 8))),
    "form": Effect(cells, Layout(lines=(1, 1))),
    "hard shadow": Effect(in_the_sun),
    "dark screen": Effect(on_screen),
    "note on a desk": Effect(on_desk),
    "dotted squares": Effect(dotted),
    "sheet with edges": Effect(beyond_edge),
    "all but touching": Effect(all_at_once, Layout(slant=0.25, slope=0.04)),
    "all": Effect(all_at_once, Layout(space=None, slant=0.25, slope=0.04)),
}


def page(effect: str, seed: int, source: Source = TEST) -> Page:
    """A page: a pure function of its arguments."""
    rng = default_rng([seed, zlib.crc32(effect.encode())])
    height = int(rng.uniform(36, 110))
    ink, text, boxes = compose(EFFECTS[effect].layout, rng, source, height)
    return Page(EFFECTS[effect].take(ink, rng, height), text, boxes)
