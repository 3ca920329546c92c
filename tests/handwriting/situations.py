"""Pictures of digits as people really send them: situations, each composed of effects and saved as it would be."""

import io
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image

from tests.handwriting import effects as e
from tests.handwriting import scenes
from tests.handwriting.digits import Array, Digit, Source, cropped

Maker = Callable[[Digit, Generator], Image.Image]
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
BLUE, RED, GREEN = (0.1, 0.18, 0.62), (0.78, 0.1, 0.14), (0.08, 0.5, 0.25)
PENCIL = (0.25, 0.25, 0.28)
EXIF_ORIENTATION = 0x0112
TURNS = {  # what a camera does before it writes a picture with this orientation
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


class Situation(NamedTuple):
    """How a picture is made, and the kind of file and the mode it comes in."""

    make: Maker
    format: str
    mode: str


def picture(label: int, situation: str, seed: int, source: Source = "strokes", style: str | None = None) -> Image.Image:
    """The picture as a reader opens it: a pure function of its arguments."""
    return Image.open(io.BytesIO(file(label, situation, seed, source, style)))


def file(label: int, situation: str, seed: int, source: Source = "strokes", style: str | None = None) -> bytes:
    """The picture's file."""
    kind = SITUATIONS[situation]
    rng = default_rng([label, seed, zlib.crc32(situation.encode())])
    image = kind.make(Digit(label, seed + zlib.crc32(situation.encode()) % 1000 * 100_000, source, style), rng)
    stream = io.BytesIO()
    options: dict[str, Any] = {"quality": int(rng.integers(55, 93)), "exif": image.getexif(), "compress_level": 1}
    image.save(stream, kind.format, **options)  # formats read only the options that they have
    return stream.getvalue()


def _canvas(rng: Generator, least: int, most: int) -> tuple[int, int]:
    """Width and height of a canvas; half of them are square."""
    width = int(rng.integers(least, most + 1))
    return width, width if rng.random() < 0.5 else int(width * rng.uniform(0.7, 1.4))


def _ink(
    digit: Digit,
    rng: Generator,
    size: tuple[int, int],
    pen: tuple[float, float],
    height: tuple[float, float] = (0.4, 0.85),
    jagged: bool = False,
    border: float = 0.08,
) -> Array:
    """A digit somewhere on a canvas; its height in shares of the canvas, the pen in shares of the digit's height."""
    tall = max(8, int(rng.uniform(*height) * min(size)))
    ink = digit.ink(tall, max(1.0, rng.uniform(*pen) * tall), jagged)
    while ink.shape[1] > 0.96 * size[0]:
        tall = int(tall * 0.9)
        ink = digit.ink(tall, max(1.0, rng.uniform(*pen) * tall), jagged)
    return e.placed(ink, size, rng, border)


def _rgb(sheet: Array) -> Image.Image:
    return Image.fromarray(e.to_bytes(sheet))


def _on_screen(ink: Array, paper: e.Colour = WHITE, colour: e.Colour = BLACK) -> Image.Image:
    """Pixels of a drawing program."""
    return _rgb(e.covered(np.full((*ink.shape, 3), paper, np.float32), ink, colour))


def _mouse_ink(digit: Digit, rng: Generator) -> Array:
    return _ink(digit, rng, _canvas(rng, 200, 700), (0.04, 0.12), jagged=rng.random() < 0.6)


def mouse(digit: Digit, rng: Generator) -> Image.Image:
    """Drawn by mouse, black on white."""
    return _on_screen(_mouse_ink(digit, rng))


def mouse_thin(digit: Digit, rng: Generator) -> Image.Image:
    """A line of one to three pixels on a large canvas."""
    size = _canvas(rng, 350, 1000)
    tall = int(rng.uniform(0.4, 0.8) * min(size))
    return _on_screen(e.placed(digit.ink(tall, rng.uniform(1, 3), jagged=True)[:, : size[0]], size, rng))


def mouse_unsmoothed(digit: Digit, rng: Generator) -> Image.Image:
    """Stair-stepped edges, as simple programs paint them."""
    return _on_screen((_mouse_ink(digit, rng) > 0.5).astype(np.float32))


def finger(digit: Digit, rng: Generator) -> Image.Image:
    """A finger on a phone: thick, round, smooth."""
    return _on_screen(_ink(digit, rng, _canvas(rng, 250, 700), (0.12, 0.2), (0.5, 0.9)))


def white_on_black(digit: Digit, rng: Generator) -> Image.Image:
    return _on_screen(_mouse_ink(digit, rng), BLACK, WHITE)


def dark_mode(digit: Digit, rng: Generator) -> Image.Image:
    """A light colour on a dark one."""
    colour = tuple(rng.uniform(0.65, 1.0, 3).tolist())
    return _on_screen(_mouse_ink(digit, rng), (0.12, 0.13, 0.15), (colour[0], colour[1], colour[2]))


def transparent(digit: Digit, rng: Generator) -> Image.Image:
    """Dark ink on nothing; what lies under transparent pixels is black."""
    ink = _mouse_ink(digit, rng)
    image = Image.new("RGBA", e.size_of(ink))
    image.putalpha(Image.fromarray(e.to_bytes(ink)))
    return image


def transparent_blue(digit: Digit, rng: Generator) -> Image.Image:
    """Blue ink on nothing that is white beneath."""
    ink = _mouse_ink(digit, rng)
    image = _on_screen(ink, WHITE, BLUE)
    image.putalpha(Image.fromarray(e.to_bytes(ink)))
    return image


def opaque_rgba(digit: Digit, rng: Generator) -> Image.Image:
    return mouse(digit, rng).convert("RGBA")


def grey_alpha(digit: Digit, rng: Generator) -> Image.Image:
    return transparent(digit, rng).convert("LA")


def tiny(digit: Digit, rng: Generator) -> Image.Image:
    """Some 20 to 40 pixels in all."""
    return _on_screen(_ink(digit, rng, _canvas(rng, 20, 40), (0.06, 0.16), (0.6, 0.9)))


def huge(digit: Digit, rng: Generator) -> Image.Image:
    return Image.fromarray(e.to_bytes(1 - _ink(digit, rng, (3000, 3000), (0.01, 0.1))))


def _pen_on_paper(
    digit: Digit,
    rng: Generator,
    sheet: Array,
    colour: e.Colour,
    pen: tuple[float, float] = (0.03, 0.07),
    height: tuple[float, float] = (0.3, 0.7),
    border: float = 0.08,
) -> Array:
    """Pen of a colour on a sheet, running dry here and there."""
    ink = _ink(digit, rng, e.size_of(sheet), pen, height, border=border)
    return e.written(sheet, e.soft(e.broken(ink, rng, 0.35, cells=9), 0.6), colour)


def _white_paper(rng: Generator, least: int = 450, most: int = 800) -> Array:
    shade = rng.uniform(0.88, 1.0)
    return e.paper(_canvas(rng, least, most), (shade, shade, shade * rng.uniform(0.96, 1.0)), rng, 0.03)


def _photo(sheet: Array, rng: Generator, depth: float = 0.35, shadow: float = 0.0) -> Image.Image:
    """What a phone makes of a sheet."""
    sheet = e.lit(e.tilted(sheet, rng, 6, perspective=0.06), rng, depth)
    sheet = e.shaded(sheet, rng, shadow) if shadow else sheet
    return _rgb(e.noisy(e.blurred(sheet, rng.uniform(0.5, 1.6)), rng, rng.uniform(0.01, 0.03)))


def _scan(sheet: Array, rng: Generator) -> Image.Image:
    """What a scanner makes of a sheet laid on askew."""
    return _rgb(e.noisy(e.blurred(e.tilted(sheet, rng, 8), 0.6), rng, 0.008))


def ballpoint_photo(digit: Digit, rng: Generator) -> Image.Image:
    """Ballpoint on white paper under a lamp."""
    colour = (0.15, 0.17, 0.25) if rng.random() < 0.5 else BLUE
    return _photo(_pen_on_paper(digit, rng, _white_paper(rng), colour), rng)


def shadow_photo(digit: Digit, rng: Generator) -> Image.Image:
    """The phone's own shadow across the paper."""
    sheet = _pen_on_paper(digit, rng, _white_paper(rng), (0.12, 0.12, 0.2), (0.04, 0.09))
    return _photo(sheet, rng, 0.25, shadow=rng.uniform(0.35, 0.55))


def dim_photo(digit: Digit, rng: Generator) -> Image.Image:
    """Too little light: grey, blurred, noisy."""
    sheet = _pen_on_paper(digit, rng, _white_paper(rng), (0.15, 0.15, 0.2), (0.05, 0.1))
    return _rgb(e.noisy(e.blurred(e.lit(sheet, rng, 0.4), 1.8) * rng.uniform(0.35, 0.55), rng, 0.035))


def ruled_scan(digit: Digit, rng: Generator) -> Image.Image:
    """Blue lines on white paper."""
    sheet = e.ruled(_white_paper(rng), rng.uniform(60, 130), (0.6, 0.72, 0.9), rng)
    return _scan(_pen_on_paper(digit, rng, sheet, (0.1, 0.1, 0.18)), rng)


def squared_photo(digit: Digit, rng: Generator) -> Image.Image:
    """Squared school paper."""
    spacing = rng.uniform(35, 75)
    sheet = e.ruled(_white_paper(rng), spacing, (0.7, 0.78, 0.86), rng)
    sheet = e.ruled(sheet, spacing, (0.7, 0.78, 0.86), rng, upright=True)
    return _photo(_pen_on_paper(digit, rng, sheet, BLUE, (0.04, 0.08)), rng, 0.25)


def legal_pad(digit: Digit, rng: Generator) -> Image.Image:
    """Yellow paper, blue lines and a red margin, scanned askew."""
    sheet = e.paper(_canvas(rng, 450, 800), (0.99, 0.94, rng.uniform(0.55, 0.72)), rng, 0.03)
    sheet = e.ruled(sheet, rng.uniform(65, 130), (0.55, 0.68, 0.8), rng)
    sheet = e.margin(sheet, rng.choice([rng.uniform(0.03, 0.15), rng.uniform(0.85, 0.97)]), 3, (0.9, 0.45, 0.45))
    return _scan(_pen_on_paper(digit, rng, sheet, (0.1, 0.1, 0.16), (0.03, 0.07)), rng)


def blue_pen(digit: Digit, rng: Generator) -> Image.Image:
    return _scan(_pen_on_paper(digit, rng, _white_paper(rng), BLUE), rng)


def red_pen(digit: Digit, rng: Generator) -> Image.Image:
    return _scan(_pen_on_paper(digit, rng, _white_paper(rng), RED, (0.04, 0.09)), rng)


def green_pen(digit: Digit, rng: Generator) -> Image.Image:
    return _photo(_pen_on_paper(digit, rng, _white_paper(rng), GREEN, (0.06, 0.12)), rng, 0.2)


def pencil(digit: Digit, rng: Generator) -> Image.Image:
    """Pencil on greyish paper: pale and grainy."""
    grey = rng.uniform(0.78, 0.9)
    sheet = e.paper(_canvas(rng, 400, 700), (grey, grey, grey), rng, 0.06)
    ink = e.broken(_ink(digit, rng, e.size_of(sheet), (0.03, 0.07), (0.35, 0.75)), rng, 0.7)
    shade = rng.uniform(0.35, 0.55)
    return _photo(e.written(sheet, e.soft(ink, 0.7), (shade, shade, shade)), rng, 0.15)


def marker(digit: Digit, rng: Generator) -> Image.Image:
    return _photo(_pen_on_paper(digit, rng, _white_paper(rng), (0.05, 0.05, 0.07), (0.13, 0.2), (0.4, 0.8)), rng)


def sticky_note(digit: Digit, rng: Generator) -> Image.Image:
    """A dark pen on a strongly coloured note."""
    colour = [(0.98, 0.92, 0.35), (0.98, 0.6, 0.72), (0.6, 0.92, 0.55), (0.5, 0.82, 0.95)][rng.integers(4)]
    sheet = e.paper(_canvas(rng, 350, 600), colour, rng, 0.02)
    return _photo(_pen_on_paper(digit, rng, sheet, (0.1, 0.1, 0.15), (0.05, 0.1), (0.4, 0.75)), rng, 0.3)


def whiteboard(digit: Digit, rng: Generator) -> Image.Image:
    """A coloured marker on a glossy board with a reflection."""
    sheet = e.paper(_canvas(rng, 450, 800), (0.93, 0.94, 0.95), rng, 0.01)
    colour = [BLUE, RED, GREEN, (0.1, 0.1, 0.1)][rng.integers(4)]
    sheet = _pen_on_paper(digit, rng, sheet, colour, (0.06, 0.11), (0.3, 0.7))
    return _photo(e.shaded(sheet, rng, -0.12), rng, 0.2)


def blackboard(digit: Digit, rng: Generator) -> Image.Image:
    """Chalk on a wiped board."""
    colour = [(0.13, 0.2, 0.17), (0.15, 0.15, 0.16), (0.1, 0.25, 0.2)][rng.integers(3)]
    sheet = e.smudged(e.paper(_canvas(rng, 400, 800), colour, rng, 0.05), rng, 0.12)
    ink = e.broken(_ink(digit, rng, e.size_of(sheet), (0.07, 0.14), (0.3, 0.75)), rng, 0.75)
    return _photo(e.covered(sheet, 0.92 * e.soft(ink, 0.8), (0.95, 0.94, 0.9)), rng, 0.2)


def turned_phone(digit: Digit, rng: Generator) -> Image.Image:
    """A photo whose EXIF data record how the phone was held."""
    orientation = int(rng.choice(list(TURNS)))
    image = ballpoint_photo(digit, rng).transpose(TURNS[orientation])
    image.getexif()[EXIF_ORIENTATION] = orientation
    return image


def palette(digit: Digit, rng: Generator) -> Image.Image:
    return _on_screen(_mouse_ink(digit, rng), WHITE, BLUE).quantize(8)


def gif(digit: Digit, rng: Generator) -> Image.Image:
    return mouse(digit, rng).convert("L").quantize(16)


def one_bit(digit: Digit, rng: Generator) -> Image.Image:
    """A fax-like scan: black or white."""
    grey = np.asarray(blue_pen(digit, rng).convert("L"))
    return Image.fromarray(grey > 170)


def sixteen_bit(digit: Digit, rng: Generator) -> Image.Image:
    """A scanner's 16 bits of grey."""
    grey = np.asarray(ruled_scan(digit, rng).convert("L"), np.uint16)
    return Image.fromarray(grey * 257)


def cmyk(digit: Digit, rng: Generator) -> Image.Image:
    """A print shop's JPEG."""
    return blue_pen(digit, rng).convert("CMYK")


def grey_scan(digit: Digit, rng: Generator) -> Image.Image:
    """A grey TIFF."""
    return _scan(_pen_on_paper(digit, rng, _white_paper(rng), (0.1, 0.1, 0.1)), rng).convert("L")


def small_in_corner(digit: Digit, rng: Generator) -> Image.Image:
    """A small digit on a large empty canvas."""
    return _on_screen(_ink(digit, rng, _canvas(rng, 400, 800), (0.07, 0.14), (0.08, 0.2)))


def near_border(digit: Digit, rng: Generator) -> Image.Image:
    """A few pixels from an edge."""
    size = _canvas(rng, 200, 500)
    ink = cropped(_ink(digit, rng, size, (0.05, 0.12), (0.4, 0.75)))
    return _on_screen(e.at_edge(ink, size, rng, rng.uniform(1, 5)))


def touching_border(digit: Digit, rng: Generator) -> Image.Image:
    """Touching an edge with its outermost ink."""
    size = _canvas(rng, 200, 500)
    ink = cropped(_ink(digit, rng, size, (0.05, 0.12), (0.4, 0.75)))
    return _on_screen(e.at_edge(ink, size, rng, 0))


def specks(digit: Digit, rng: Generator) -> Image.Image:
    sheet = _white_paper(rng)
    ink = _ink(digit, rng, e.size_of(sheet), (0.05, 0.1), (0.4, 0.75))
    return _scan(e.written(sheet, e.specks(ink, rng, int(rng.integers(5, 30)), ink.shape[0] / 60), BLACK), rng)


def intruder(digit: Digit, rng: Generator) -> Image.Image:
    """A bit of the next digit at the edge."""
    sheet = _white_paper(rng)
    ink = _ink(digit, rng, e.size_of(sheet), (0.05, 0.1), (0.4, 0.65))
    return _rgb(e.noisy(e.written(sheet, e.intruder(ink, rng, ink.shape[0] / 25), (0.1, 0.1, 0.2)), rng, 0.01))


def desk_photo(digit: Digit, rng: Generator) -> Image.Image:
    """A sheet with the dark desk beyond its edge."""
    sheet = _pen_on_paper(digit, rng, _white_paper(rng), (0.1, 0.1, 0.2), (0.04, 0.08), (0.25, 0.5), border=0.24)
    colour = [(0.35, 0.23, 0.14), (0.2, 0.2, 0.22), (0.55, 0.42, 0.28)][rng.integers(3)]
    return _photo(e.on_desk(sheet, rng, colour, 0.16), rng, 0.25)


def crumpled_photo(digit: Digit, rng: Generator) -> Image.Image:
    """Paper that was folded and flattened again."""
    sheet = _pen_on_paper(digit, rng, _white_paper(rng), BLUE, (0.04, 0.08))
    return _photo(e.creased(sheet, rng, int(rng.integers(2, 6)), rng.uniform(0.08, 0.2)), rng, 0.3)


def form_box(digit: Digit, rng: Generator) -> Image.Image:
    """A printed form: a box around the digit, as for a postcode."""
    size = _canvas(rng, 250, 450)
    box = (0.07 * size[0], 0.07 * size[1], 0.93 * size[0], 0.93 * size[1])
    sheet = e.framed(e.paper(size, (0.97, 0.97, 0.96), rng), box, rng.uniform(1, 5), (0.3, 0.3, 0.35))
    return _scan(_pen_on_paper(digit, rng, sheet, (0.1, 0.1, 0.3), (0.04, 0.09), (0.4, 0.65), border=0.17), rng)


def framed_canvas(digit: Digit, rng: Generator) -> Image.Image:
    """A drawing program's canvas with its thin border."""
    ink = _mouse_ink(digit, rng)
    box = (0, 0, ink.shape[1] - 1, ink.shape[0] - 1)
    sheet = e.framed(np.ones((*ink.shape, 3), np.float32), box, rng.uniform(1, 4), (0.3, 0.3, 0.3))
    return _rgb(e.covered(sheet, ink, BLACK))


def highlighter(digit: Digit, rng: Generator) -> Image.Image:
    """Bright colours that are nearly as light as the paper."""
    colour = [(1.0, 0.93, 0.1), (1.0, 0.45, 0.7), (0.5, 0.95, 0.4)][rng.integers(3)]
    return _scan(_pen_on_paper(digit, rng, _white_paper(rng), colour, (0.1, 0.18), (0.4, 0.8)), rng)


def faint_pen(digit: Digit, rng: Generator) -> Image.Image:
    """A pen that is nearly empty."""
    sheet = _white_paper(rng)
    ink = e.broken(_ink(digit, rng, e.size_of(sheet), (0.02, 0.05), (0.35, 0.7)), rng, 0.9, cells=7)
    shade = rng.uniform(0.45, 0.65)
    return _photo(e.written(sheet, e.soft(ink, 0.6), (shade, shade, shade + 0.1)), rng, 0.2)


def dark_screenshot(digit: Digit, rng: Generator) -> Image.Image:
    """A drawing program in dark mode, its bars included."""
    dark, light = rng.uniform(0.03, 0.15), rng.uniform(0.6, 1.0, 3)
    ink = _ink(digit, rng, _canvas(rng, 300, 700), (0.015, 0.09), (0.3, 0.7))
    canvas = e.covered(np.full((*ink.shape, 3), dark, np.float32), ink, (light[0], light[1], light[2]))
    bar = dark + rng.uniform(0.03, 0.1)
    return _rgb(scenes.in_window(canvas, rng, (bar, bar, bar + 0.01), (0.6, 0.6, 0.62)))


def note_on_desk(digit: Digit, rng: Generator) -> Image.Image:
    """A note that lies on a desk, photographed at an angle."""
    colour = [(0.96, 0.96, 0.94), (0.98, 0.92, 0.45), (0.99, 0.8, 0.85), (0.75, 0.93, 0.75)][rng.integers(4)]
    note = e.paper(_canvas(rng, 300, 420), colour, rng, 0.02)
    note = _pen_on_paper(digit, rng, note, (0.1, 0.1, 0.2), (0.04, 0.09), (0.4, 0.7), border=0.12)
    size = int(rng.integers(480, 720)), int(rng.integers(480, 720))
    table = scenes.laid(scenes.desk((round(2.6 * max(size)),) * 2, rng), note, rng, 20)
    zoom = max(note.shape) / min(size) / rng.uniform(0.45, 0.75)
    taken = scenes.seen(table, size, rng.uniform(10, 40), rng.uniform(-8, 8), zoom)
    return _rgb(e.noisy(e.blurred(e.lit(taken, rng, 0.25), rng.uniform(0.5, 1.3)), rng, 0.015))


def steep_photo(digit: Digit, rng: Generator) -> Image.Image:
    """A sheet in front of a sitting writer, so that its far part is small."""
    size = int(rng.integers(450, 700)), int(rng.integers(450, 700))
    ink = np.pad(_ink(digit, rng, size, (0.04, 0.09), (0.35, 0.55), border=0.2), round(0.8 * max(size)))
    sheet = e.paper(e.size_of(ink), (0.95, 0.95, 0.93), rng, 0.03)
    if rng.random() < 0.5:
        sheet = e.ruled(sheet, rng.uniform(60, 120), (0.6, 0.72, 0.9), rng)
    sheet = e.written(sheet, e.soft(ink, 0.6), (0.12, 0.13, 0.3))
    taken = scenes.seen(sheet, size, rng.uniform(30, 50), rng.uniform(-10, 10))
    return _rgb(e.noisy(e.blurred(e.lit(taken, rng, 0.3), rng.uniform(0.5, 1.3)), rng, 0.015))


def tight_crop(digit: Digit, rng: Generator) -> Image.Image:
    """Cut out of a photo right along the ink."""
    tall = int(rng.uniform(60, 500))
    ink = np.pad(digit.ink(tall, rng.uniform(0.05, 0.13) * tall), max(1, round(rng.uniform(0.01, 0.05) * tall)))
    shade = rng.uniform(0.8, 1.0)
    sheet = e.written(e.paper(e.size_of(ink), (shade, shade, 0.97 * shade), rng, 0.03), ink, (0.12, 0.13, 0.3))
    return _rgb(e.noisy(e.blurred(e.lit(sheet, rng, 0.3), 0.6), rng, 0.015))


def dark_rules(digit: Digit, rng: Generator) -> Image.Image:
    """Lines as dark as the pen and nearly as thick."""
    shade = rng.uniform(0.1, 0.35)
    sheet = e.ruled(_white_paper(rng), rng.uniform(60, 130), (shade, shade, shade), rng, thickness=rng.uniform(3, 8))
    return _scan(_pen_on_paper(digit, rng, sheet, (0.1, 0.1, 0.18), (0.05, 0.09), (0.35, 0.7)), rng)


def hard_shadow(digit: Digit, rng: Generator) -> Image.Image:
    """In the sun: a shadow with an edge, across the digit or beside it."""
    sheet = e.tilted(_pen_on_paper(digit, rng, _white_paper(rng), (0.12, 0.12, 0.25), (0.04, 0.09)), rng, 5)
    shaded = scenes.sharply_shaded(sheet, rng, rng.uniform(0.3, 0.6))
    return _rgb(e.noisy(e.blurred(shaded, rng.uniform(0.5, 1.2)), rng, 0.015))


def scrap(digit: Digit, rng: Generator) -> Image.Image:
    """A small scrap of ruled yellow paper in the middle of a white square."""
    size = int(rng.integers(26, 44)), int(rng.integers(30, 44))
    sheet = e.paper(size, (0.97, 0.96, rng.uniform(0.82, 0.9)), rng, 0.06)
    blue = np.zeros(size[::-1], np.float32)
    place = int(rng.uniform(0.82, 0.95) * size[1])
    blue[place : place + int(rng.integers(1, 3))] = 1
    sheet = e.written(
        e.written(sheet, blue, (0.55, 0.68, 0.85)), _ink(digit, rng, size, (0.08, 0.12), (0.6, 0.75)), PENCIL
    )
    square = np.ones((56, 56, 3), np.float32)
    left, top = (56 - size[0]) // 2, (56 - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = e.blurred(sheet, 0.5)
    return _rgb(square)


def coarse_paper(digit: Digit, rng: Generator) -> Image.Image:
    """Coarse coloured paper, photographed from near."""
    size = _canvas(rng, 150, 260)
    sheet = e.paper(size, (0.72, 0.74, rng.uniform(0.3, 0.5)), rng, rng.uniform(0.45, 0.7))
    ink = e.soft(_ink(digit, rng, size, (0.06, 0.1), (0.6, 0.8)), 0.7)
    return _photo(e.written(sheet, ink, (0.12, 0.3, 0.3)), rng, 0.2)


MAKERS: dict[tuple[str, str], tuple[Maker, ...]] = {  # by the format of their file and the mode of its image
    ("PNG", "RGB"): (
        mouse, mouse_thin, mouse_unsmoothed, finger, white_on_black, dark_mode, tiny, small_in_corner,
        near_border, touching_border, ruled_scan, form_box, framed_canvas, specks, intruder, dark_screenshot,
        dark_rules, scrap,
    ),
    ("PNG", "RGBA"): (transparent, transparent_blue, opaque_rgba),
    ("PNG", "LA"): (grey_alpha,),
    ("PNG", "L"): (huge,),
    ("JPEG", "RGB"): (
        ballpoint_photo, shadow_photo, dim_photo, turned_phone, squared_photo, legal_pad, blue_pen, red_pen,
        pencil, marker, sticky_note, whiteboard, blackboard, desk_photo, crumpled_photo, highlighter, faint_pen,
        note_on_desk, steep_photo, tight_crop, hard_shadow, coarse_paper,
    ),
    ("WEBP", "RGB"): (green_pen,),
    ("PNG", "P"): (palette,),
    ("GIF", "P"): (gif,),
    ("TIFF", "1"): (one_bit,),
    ("PNG", "I;16"): (sixteen_bit,),
    ("JPEG", "CMYK"): (cmyk,),
    ("TIFF", "L"): (grey_scan,),
}  # fmt: skip
SITUATIONS = {make.__name__: Situation(make, *kind) for kind, makers in MAKERS.items() for make in makers}
