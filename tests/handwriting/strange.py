"""Pictures of what is no digit, of kinds that no training sees (`digitrec.data.synthetic.non_digits` has others)."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw, ImageFont

from digitrec.data.labels import NO_DIGIT
from digitrec.data.synthetic.ink import paint
from digitrec.data.synthetic.strokes import write_forms
from digitrec.data.synthetic.styles import drawn
from tests.handwriting import effects as e
from tests.handwriting.digits import STRANGER, Array

Maker = Callable[[Generator], Image.Image]
Points = Sequence[tuple[float, float]]

PRINTED = "AEFHKMNPRVWXhkmnpwx"
WORDS = ["and", "for", "Max", "when", "kept", "farm", "the", "Anna", "Name", "paper", "mark", "fax"]
WRITTEN = {  # letters and signs that are not among those of training
    "K": "3,0 3,100; 50,0 4,55! 54,100",
    "R": "4,100 4,0! 40,4 46,24 34,46 6,50! 52,100",
    "W": "0,0 16,100! 36,30! 56,100! 72,0",
    "k": "4,0 4,100; 40,36 6,70! 46,100",
    "w": "0,20 10,80 24,98 36,50 48,90 62,98 76,12",
    "D_bar": "4,0 4,100; 0,2 34,6 56,50 34,94 2,98; -12,50 26,50",
    "pi": "2,8 66,3; 18,8 14,100; 48,6 50,100",
    "tree": "0,30 64,30; 32,0 32,100; 30,32 2,82; 34,32 64,82",
    "person": "32,0 26,40 0,100; 29,34 62,100",
    "at": "46,36 26,34 22,60 38,66 48,40! 50,66 68,50 56,12 20,6 0,48 18,92 62,92",
    "euro": "54,10 30,4 10,50 28,96 56,88; 0,40 44,38; 0,58 40,56",
    "ya": "50,100 50,0! 18,4 8,26 22,48 50,50! 4,100",
    "sharp": "20,0 20,100; 48,-4 48,96; 0,38 68,28; 0,76 68,66",
    "infinity": "50,50 20,26 2,50 20,74 50,50 80,26 98,50 80,74 51,51",
}
FORMS = tuple(drawn(NO_DIGIT, drawing) for drawing in WRITTEN.values())


def sketch(name: str, seed: int) -> Image.Image:
    """A picture of a kind: a pure function of its arguments."""
    return STRANGE[name](default_rng([seed, *name.encode()]))


def written_letters(rng: Generator) -> Image.Image:
    """Letters and signs by hand, on paper or on a screen."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**40)))
    tall = int(rng.uniform(80, 300))
    strokes = write_forms(FORMS, torch.tensor([rng.integers(len(FORMS))]), generator, hand=STRANGER, resolution=90)
    points, present = strokes.points[0], strokes.pressure[0] > 0
    inked = points[present]
    pen = max(1.5, rng.uniform(0.03, 0.13) * tall)
    low, high = inked.amin(0), inked.amax(0)
    scale = tall / (high - low).max()
    margin = float(rng.uniform(0.1, 0.6)) * tall + pen
    size = ((high - low) * scale + 2 * margin).ceil().int().tolist()
    width = strokes.pressure[0] * pen
    return Image.fromarray(255 - np.asarray(paint((points - low) * scale + margin, width, (size[0], size[1]))))


def printed_letters(rng: Generator) -> Image.Image:
    return _text(PRINTED[rng.integers(len(PRINTED))], rng)


def words(rng: Generator) -> Image.Image:
    return _text(WORDS[rng.integers(len(WORDS))], rng)


def _text(text: str, rng: Generator) -> Image.Image:
    size = int(rng.uniform(30, 160))
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    margin = int(size * rng.uniform(0.1, 0.5))
    image = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), 255)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, int(rng.integers(90)), font)
    return image.rotate(rng.normal(0, 3), fillcolor=255, resample=Image.Resampling.BICUBIC)


def loops(rng: Generator) -> Image.Image:
    """A row of loops, as one tries out a pen."""
    turns = rng.uniform(4, 8)
    t = np.linspace(0, 2 * np.pi * turns, 400)
    forward = rng.uniform(0.12, 0.35)
    return _line(np.stack([forward * t + np.sin(t + rng.uniform(0, 6)), -np.cos(t) * rng.uniform(0.8, 1.6)]), rng)


def spiral(rng: Generator) -> Image.Image:
    t = np.linspace(0.5, 2 * np.pi * rng.uniform(3.2, 5.5), 500)
    start = rng.uniform(0, 6)
    return _line(np.stack([t * np.cos(t + start), t * np.sin(t + start) * rng.uniform(0.7, 1.2)]), rng)


def crossed_out(rng: Generator) -> Image.Image:
    """Something struck out until it can't be read."""
    count = int(rng.integers(9, 20))
    xs = np.sort(rng.uniform(0, 1.6, count) + rng.normal(0, 0.15, count))
    ys = np.where(np.arange(count) % 2, 1.0, 0.0) + rng.normal(0, 0.15, count)
    t = np.linspace(0, count - 1, 500)
    return _line(np.stack([np.interp(t, np.arange(count), xs), np.interp(t, np.arange(count), ys)]), rng)


def _line(points: Array, rng: Generator) -> Image.Image:
    """One stroke through points (2, n), turned a little, on a canvas of 150 to 500 pixels."""
    side = rng.uniform(110, 400)
    angle = rng.normal(0, 0.25)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ points
    low = turned.min(1, keepdims=True)
    turned = (turned - low) / (turned - low).max() * side + 0.15 * side
    size = tuple(int(extent) for extent in (turned.max(1) + 0.15 * side))
    image = Image.new("L", (size[0], size[1]), 255)
    pen = max(2, round(rng.uniform(0.015, 0.05) * side))
    ImageDraw.Draw(image).line([(x, y) for x, y in turned.T.tolist()], int(rng.integers(80)), pen, "curve")
    return image


def drawings(rng: Generator) -> Image.Image:
    """A face, a cat, a house, a flower, a sun, a person: as children draw them."""
    side = int(rng.uniform(150, 400))
    image = Image.new("L", (side, side), 255)
    pencil = ImageDraw.Draw(image)
    pen = max(2, round(rng.uniform(0.012, 0.04) * side))
    draw = [_face, _cat, _house, _flower, _sun, _person][rng.integers(6)]
    for kind, points in draw(rng):
        place = [((x * 0.7 + 0.15) * side, (y * 0.7 + 0.15) * side) for x, y in points]
        if kind == "line":
            pencil.line(place, 20, pen, "curve")
        else:
            pencil.ellipse(place, outline=20, width=pen)
    return image.rotate(rng.normal(0, 5), fillcolor=255, resample=Image.Resampling.BICUBIC)


Drawing = list[tuple[str, Points]]


def _face(rng: Generator) -> Drawing:
    smile = rng.uniform(0.65, 0.85)
    return [
        ("round", [(0, 0), (1, 1)]),
        ("round", [(0.25, 0.28), (0.37, 0.4)]),
        ("round", [(0.63, 0.28), (0.75, 0.4)]),
        ("line", [(0.25, 0.65), (0.38, smile), (0.5, smile + 0.04), (0.62, smile), (0.75, 0.65)]),
    ]


def _cat(rng: Generator) -> Drawing:
    return [
        ("round", [(0.1, 0.2), (0.9, 1)]),
        ("line", [(0.17, 0.4), (0.15, 0.0), (0.4, 0.22)]),
        ("line", [(0.6, 0.22), (0.85, 0.0), (0.83, 0.4)]),
        ("round", [(0.28, 0.45), (0.38, 0.55)]),
        ("round", [(0.62, 0.45), (0.72, 0.55)]),
        *[("line", [(0.5 + s * 0.12, 0.7), (0.5 + s * 0.5, 0.62 + d)]) for s in (-1, 1) for d in (0.0, 0.14)],
    ]


def _house(rng: Generator) -> Drawing:
    return [
        ("line", [(0.1, 0.4), (0.1, 1), (0.9, 1), (0.9, 0.4), (0.1, 0.4), (0.5, 0), (0.9, 0.4)]),
        ("line", [(0.2, 1), (0.2, 0.65), (0.4, 0.65), (0.4, 1)]),
        ("line", [(0.55, 0.6), (0.8, 0.6), (0.8, 0.8), (0.55, 0.8), (0.55, 0.6)]),
    ]


def _flower(rng: Generator) -> Drawing:
    angles = np.arange(6) * np.pi / 3 + rng.uniform(0, 1)
    middles = [(0.5 + 0.2 * np.cos(a), 0.3 + 0.2 * np.sin(a)) for a in angles.tolist()]
    petals = [("round", [(x - 0.1, y - 0.1), (x + 0.1, y + 0.1)]) for x, y in middles]
    leaf = [(0.5, 0.8), (0.75, 0.65), (0.5, 0.9)]
    return [*petals, ("round", [(0.4, 0.2), (0.6, 0.4)]), ("line", [(0.5, 0.5), (0.5, 1)]), ("line", leaf)]


def _sun(rng: Generator) -> Drawing:
    angles = (np.arange(9) * 2 * np.pi / 9 + rng.uniform(0, 1)).tolist()
    rays = [[(0.5 + r * np.cos(a), 0.5 + r * np.sin(a)) for r in (0.3, 0.5)] for a in angles]
    return [("round", [(0.27, 0.27), (0.73, 0.73)]), *[("line", ray) for ray in rays]]


def _person(rng: Generator) -> Drawing:
    return [
        ("round", [(0.37, 0), (0.63, 0.26)]),
        ("line", [(0.5, 0.26), (0.5, 0.65)]),
        ("line", [(0.15, rng.uniform(0.2, 0.6)), (0.5, 0.38), (0.85, rng.uniform(0.2, 0.6))]),
        ("line", [(0.25, 1), (0.5, 0.65), (0.75, 1)]),
    ]


CLOTHES: dict[str, list[tuple[float, float]]] = {
    "shirt": [(3, 3), (7, 1), (10, 2), (13, 1), (17, 3), (20, 9), (17, 10), (15, 7), (15, 19), (5, 19),
              (5, 7), (3, 10), (0, 9)],
    "trousers": [(5, 0), (15, 0), (17, 20), (12, 20), (10, 6), (8, 20), (3, 20)],
    "dress": [(7, 0), (8, 3), (12, 3), (13, 0), (13, 8), (17, 20), (3, 20), (7, 8)],
    "coat": [(4, 1), (9, 0), (11, 0), (16, 1), (19, 17), (16, 18), (15, 8), (15, 20), (10.5, 20), (10, 4),
             (9.5, 20), (5, 20), (5, 8), (4, 18), (1, 17)],
    "shoe": [(0, 8), (5, 8), (11, 12), (18, 13), (20, 16), (0, 16)],
    "boot": [(2, 0), (9, 0), (9, 11), (17, 14), (18, 19), (2, 19)],
    "bag": [(1, 7), (5, 7), (6, 2), (14, 2), (15, 7), (19, 7), (20, 19), (0, 19)],
    "cap": [(2, 12), (4, 6), (10, 4), (15, 7), (16, 11), (20, 14), (14, 14)],
}  # fmt: skip


def clothes(rng: Generator) -> Image.Image:
    """Grey things to wear on black, 28x28 pixels: the way of Fashion-MNIST."""
    outline = list(CLOTHES.values())[rng.integers(len(CLOTHES))]
    corners = (np.array(outline) + rng.normal(0, 0.5, (len(outline), 2))) * rng.uniform(0.95, 1.15, 2) + 3
    mask = Image.new("L", (280, 280))
    ImageDraw.Draw(mask).polygon([(10 * x, 10 * y) for x, y in corners.tolist()], fill=255)
    solid = np.asarray(mask.resize((28, 28), Image.Resampling.BOX), np.float32) / 255
    shade = rng.uniform(0.35, 1.0) * (1 - rng.uniform(0, 0.6) * e.field((28, 28), int(rng.integers(2, 12)), rng))
    if rng.random() < 0.3:
        shade = shade * np.where(np.arange(28) // int(rng.integers(1, 4)) % 2, 1.0, 0.6)[:, None]
    return Image.fromarray((255 * (solid * shade).clip(0, 1)).astype(np.uint8))


def textures(rng: Generator) -> Image.Image:
    """Squares, stripes, dots, rings or bricks from edge to edge."""
    side = int(rng.choice([28, 60, 150, 300]))
    y, x = np.mgrid[:side, :side] / side * rng.uniform(3, 12)
    angle = rng.uniform(0, np.pi)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    patterns = [
        (np.floor(u) + np.floor(v)) % 2,
        np.sin(2 * np.pi * u) > 0,
        np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.3,
        np.sin(2 * np.pi * np.hypot(u - 2, v - 1)) > 0,
        ((v % 1 < 0.15) | ((u + 0.5 * np.floor(v)) % 2 < 0.15)),
    ]
    dark, light = rng.uniform(0, 0.4), rng.uniform(0.6, 1)
    return _grey(np.where(patterns[rng.integers(len(patterns))], light, dark))


def grain(rng: Generator) -> Image.Image:
    """Every pixel by chance: grey, black and white, or sparse."""
    side = int(rng.choice([28, 60, 150]))
    values = rng.random((side, side))
    levels = [values, values < 0.5, values < rng.uniform(0.02, 0.2)]
    return _grey(np.asarray(levels[rng.integers(3)], float))


def photos(rng: Generator) -> Image.Image:
    """A part of a real photo: a person, a temple, a flower (as matplotlib and scikit-learn bring them)."""
    whole = _photos()[rng.integers(len(_photos()))]
    side = int(rng.uniform(0.2, 0.9) * min(whole.size))
    left, top = (int(rng.integers(0, extent - side + 1)) for extent in whole.size)
    return whole.crop((left, top, left + side, top + side))


@cache
def _photos() -> list[Image.Image]:
    import matplotlib
    from sklearn.datasets import load_sample_images

    person = Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB")
    return [person, *[Image.fromarray(image) for image in load_sample_images().images]]


def _grey(levels: Array) -> Image.Image:
    return Image.fromarray((255 * levels).clip(0, 255).astype(np.uint8))


MAKERS = (
    written_letters, printed_letters, words, loops, spiral, crossed_out, drawings, clothes, textures, grain,
    photos,
)  # fmt: skip
STRANGE: dict[str, Maker] = {maker.__name__: maker for maker in MAKERS}
