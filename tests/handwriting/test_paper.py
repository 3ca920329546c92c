"""What is no writing is told from it: lines at the edge, frames, desks, shadows, rules."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from digitrec.preprocessing.digit import find_digit
from digitrec.preprocessing.frames import without_frame
from digitrec.preprocessing.ink import find_ink
from digitrec.preprocessing.rules import without_rules, without_table
from digitrec.preprocessing.surroundings import cornered, edge_line, only_paper, squareness
from tests.handwriting import effects as e
from tests.handwriting import scenes
from tests.handwriting.digits import Digit
from tests.handwriting.situations import picture


def drawn(label: int, side: int = 300, width: int = 300) -> Image.Image:
    """A digit in the middle of white paper."""
    ink = e.placed(Digit(label, seed=2).ink(side // 2, side / 25), (width, side), default_rng(0), border=0.2)
    return Image.fromarray(e.to_bytes(1 - ink)).convert("RGB")


def grey(picture: Image.Image) -> NDArray[np.float32]:
    """Brightness in [0, 1]."""
    return np.asarray(picture.convert("L"), np.float32) / np.float32(255)


def plane(picture: Image.Image) -> NDArray[np.float32]:
    """Ink of a black and white picture."""
    return 1 - grey(picture)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of what the network would see, of 255."""
    return float(np.abs(find_digit(one).image.astype(int) - find_digit(other).image).mean())


@pytest.mark.parametrize("colour", ["black", "#555555", "navy"])
@pytest.mark.parametrize("thick", [1, 3, 9])
@pytest.mark.parametrize("place", [0, 12])
def test_a_line_around_the_digit_changes_nothing(colour: str, thick: int, place: int) -> None:
    framed = drawn(5)
    ImageDraw.Draw(framed).rectangle((place, place, 299 - place, 299 - place), outline=colour, width=thick)
    assert difference(framed, drawn(5)) < 1


def test_a_frame_askew_that_a_digit_touches_changes_little() -> None:
    sheet = drawn(4).rotate(0)
    dark = np.flatnonzero((np.asarray(sheet.convert("L")) < 128).any(axis=1))
    framed = sheet.copy()
    corners = [(30, dark[0] + 1), (272, dark[0] - 9), (280, 270), (36, 280), (30, dark[0] + 1)]
    ImageDraw.Draw(framed).line([(float(x), float(y)) for x, y in corners], "black", 3)
    assert difference(framed, sheet) < 12


def test_a_box_with_nothing_in_it_is_a_zero_and_a_round_one_stays() -> None:
    square = np.zeros((200, 200), np.float32)
    square[40:160, 60:140] = 1
    square[52:148, 72:128] = 0
    assert np.array_equal(without_frame(square), square)
    round_ = plane(drawn(0))
    assert np.array_equal(without_frame(round_), round_)


def test_an_angular_zero_of_uneven_strokes_is_no_frame() -> None:
    zero = Image.new("L", (300, 300), 255)
    pencil = ImageDraw.Draw(zero)
    pencil.line([(70, 260), (80, 40), (210, 50), (212, 270), (70, 260)], 0, 6)
    pencil.line([(211, 90), (211, 250)], 0, 11)
    assert np.array_equal(without_frame(plane(zero)), plane(zero))


def test_a_digital_eight_is_no_frame() -> None:
    ink = np.zeros((220, 160), np.float32)
    for box in ((10, 20, 140, 32), (10, 104, 140, 116), (10, 188, 140, 200), (10, 20, 22, 200), (128, 20, 140, 200)):
        ink[box[1] : box[3], box[0] : box[2]] = 1
    assert np.array_equal(without_frame(ink), ink)


def test_a_line_is_as_thick_as_it_was_drawn() -> None:
    assert edge_line(grey(drawn(3))) == 0
    for thick in (1, 4, 8):
        framed = drawn(3)
        ImageDraw.Draw(framed).rectangle((0, 0, 299, 299), outline="black", width=thick)
        assert edge_line(grey(framed)) == thick


@pytest.mark.parametrize("desk", ["#3a2616", "#202024", "black"])
def test_a_sheet_that_lies_on_a_desk_is_read_alone(desk: str) -> None:
    table = Image.new("RGB", (520, 480), desk)
    table.paste(drawn(7), (90, 100))
    corner = Image.new("RGB", (330, 340), desk)
    corner.paste(drawn(7), (30, 0))
    for photo in (table, corner):
        assert difference(photo, drawn(7)) < 1.5


@pytest.mark.parametrize("situation", ["mouse", "shadow_photo", "legal_pad", "squared_photo", "touching_border"])
def test_paper_without_a_desk_is_left_alone(situation: str) -> None:
    colours = np.asarray(picture(6, situation, seed=4).convert("RGB"), np.float32) / np.float32(255)
    assert np.array_equal(only_paper(colours), colours)


@pytest.mark.parametrize("label", [2, 3, 5, 7])
@pytest.mark.parametrize("cut", [0, 4, 8])
def test_paper_beyond_a_stroke_is_no_desk(label: int, cut: int) -> None:
    tight = Digit(label, seed=2).ink(284, 15)[cut : 284 - cut, cut : -cut or None]
    assert np.abs(find_ink(np.repeat(1 - tight.clip(0, 1)[..., None], 3, axis=2)) - tight).mean() < 0.01


def test_how_square_a_shape_is() -> None:
    disc = np.hypot(*np.mgrid[-50:51, -50:51]) <= 45
    sheet = np.asarray(Image.new("1", (120, 90), 1).rotate(8, expand=True))
    assert squareness(disc) == pytest.approx(np.pi / 4, abs=0.03)
    assert squareness(sheet) > 0.95


def test_how_much_of_a_sheet_a_shape_is() -> None:
    disc = np.hypot(*np.mgrid[-50:51, -50:51]) <= 45
    far = Image.new("1", (120, 100))
    ImageDraw.Draw(far).polygon([(30, 10), (80, 6), (110, 90), (4, 80)], 1)
    assert cornered(disc) == pytest.approx(2 / np.pi, abs=0.03)
    assert cornered(np.asarray(far)) > 0.95
    assert squareness(np.asarray(far)) < 0.85
    assert cornered(np.ones((1, 1), bool)) <= 1


def moved_least(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean difference of two images, of 255, where a pixel's shift of one makes it least."""
    shifts = [np.roll(one, (down, across), (0, 1)).astype(int) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return float(min(np.abs(image - other).mean() for image in shifts))


@pytest.mark.parametrize("seed", range(4))
def test_a_desk_changes_nothing_of_a_note_seen_from_an_angle(seed: int) -> None:
    rng = default_rng(seed)
    note, white = np.asarray(drawn(6), np.float32) / 255, np.ones((1300, 1300, 3), np.float32)
    alone = white.copy()
    alone[500:800, 500:800] = note
    desk = scenes.laid(scenes.desk((1300, 1300), rng), note, rng, 0)
    one, other = (Image.fromarray(e.to_bytes(scenes.seen(plane, (500, 500), 32, 12))) for plane in (desk, alone))
    assert moved_least(find_digit(one).image, find_digit(other).image) < 2


@pytest.mark.parametrize("label", [0, 4, 8])
@pytest.mark.parametrize("depth", [0.3, 0.6])
@pytest.mark.parametrize("angle", [0.6, 2.2, 4.0])
def test_a_shadow_with_an_edge_across_the_digit_changes_little(label: int, depth: float, angle: float) -> None:
    sheet = np.asarray(drawn(label), np.float32) / 255
    x, y = np.arange(300) - 150.0, np.arange(300)[:, None] - 150.0
    shade = ((np.cos(angle) * x + np.sin(angle) * y) / 2 + 0.5).clip(0, 1)[..., None]
    shaded = find_digit(Image.fromarray(e.to_bytes((0.9 * sheet + 0.05) * (1 - depth * shade)))).image
    assert moved_least(shaded, find_digit(drawn(label)).image) < 4


@pytest.mark.parametrize("slope", [0.0, 0.05])
@pytest.mark.parametrize("upright", [False, True])
def test_rules_go_and_the_digit_stays(slope: float, upright: bool) -> None:
    ink = plane(drawn(2))
    y, x = np.mgrid[:300, :300]
    across = (x if upright else y) - slope * (y if upright else x)
    ruled = np.maximum(ink, 0.4 * ((across % 70) < 3)).astype(np.float32)
    cleaned = without_rules(ruled)
    assert np.abs(cleaned - ink).mean() < 0.2 * np.abs(ruled - ink).mean()
    assert (cleaned[ink > 0.9] > 0.5).mean() > 0.97


@pytest.mark.parametrize("side", [130, 183, 191, 250, 300])
def test_a_stroke_that_ends_before_the_paper_is_no_rule(side: int) -> None:
    stroke = np.zeros((side, side), np.float32)
    stroke[side // 10 : -side // 10, side // 3 : side // 3 + 4] = 1
    for ink in (stroke, stroke.T):
        assert np.array_equal(without_rules(ink), ink)


@pytest.mark.parametrize("label", [0, 3, 6, 8])
@pytest.mark.parametrize("width", [35, 60, 120])
def test_a_digit_that_fills_its_picture_has_no_rules(label: int, width: int) -> None:
    tall = 2 * width
    ink = np.clip(Digit(label, seed=2).ink(tall, tall / 12), 0, 1).astype(np.float32)
    assert np.abs(without_rules(ink) - ink).sum() < 0.03 * ink.sum()


@pytest.mark.parametrize("label", range(10))
def test_pale_rules_go_though_thick_on_a_small_piece_of_paper(label: int) -> None:
    ink = plane(drawn(label, 200, 200))
    ruled = np.maximum(ink, 0.4 * (np.arange(200) % 80 < 8)[:, None]).astype(np.float32)
    cleaned = without_rules(ruled)
    assert (cleaned[ink == 0] > 0.1).mean() < 0.001  # of 10 %; where a stroke is mended, at most 8 pixels of 38,000
    assert (cleaned[ink > 0.9] > 0.5).mean() > 0.97


@pytest.mark.parametrize("pen", ["#fac814", "#a0e040", "#ff80c0"])
def test_a_broad_bright_pen_that_leaves_the_paper_casts_no_shadow(pen: str) -> None:
    sheet, black = (Image.new("RGB", (275, 275), "white") for _ in range(2))
    for paper, colour in ((sheet, pen), (black, "black")):
        pencil = ImageDraw.Draw(paper)
        pencil.line([(60, 80), (100, 25), (170, 40), (170, 110), (80, 205), (80, 250)], colour, 22)
        pencil.line([(80, 240), (275, 240)], colour, 22)
        pencil.line([(30, 120), (60, 80), (130, 35)], colour, 8)
        pencil.line([(80, 205), (130, 120), (200, 60)], colour, 8)
    assert difference(sheet, black) < 3


@pytest.mark.parametrize("label", range(10))
def test_a_digit_cut_out_along_its_ink_is_dark_on_bright(label: int) -> None:
    ink = np.clip(Digit(label, seed=2).ink(300, 27), 0, 1)
    cut, whole = (Image.fromarray(e.to_bytes(1 - sheet)) for sheet in (ink, np.pad(ink, 150)))
    assert difference(cut, whole) < 3


@pytest.mark.parametrize("thick", [20, 30, 40])
def test_strokes_along_the_edges_are_no_dark_paper(thick: int) -> None:
    whole = Image.new("L", (500, 700), 255)
    ImageDraw.Draw(whole).line([(345, 165), (150, 165), (150, 520), (345, 520), (345, 333), (150, 333)], 0, thick)
    spare = thick // 2 - 3
    cut = whole.crop((150 - spare, 165 - spare, 345 + spare, 520 + spare))
    assert difference(cut, whole) < 20, "of 255; of its negative 70"


def test_parts_of_a_digit_that_is_cut_off_lie_at_the_edge_as_it_does() -> None:
    five = Image.new("L", (90, 150), 255)
    pencil = ImageDraw.Draw(five)
    pencil.line([(20, 0), (16, 60), (60, 60), (78, 100), (50, 149), (0, 140)], 0, 8, "curve")
    without = find_digit(five).image
    pencil.line([(40, 4), (89, 4)], 0, 8)
    assert np.abs(find_digit(five).image.astype(int) - without).mean() > 3, "its bar"
    beside = Image.new("L", (300, 300), 255)
    beside.paste(five.crop((0, 0, 90, 150)), (10, 60))
    alone = find_digit(beside).image
    ImageDraw.Draw(beside).line([(294, 100), (299, 140)], 0, 8)
    assert np.array_equal(find_digit(beside).image, alone), "another digit's"


def test_lines_of_a_table_go_and_digits_stay() -> None:
    table = Image.new("L", (700, 400), 255)
    pencil = ImageDraw.Draw(table)
    digits = table.copy()
    for x in range(60, 700, 145):
        pencil.line((x, 60, x, 340), 0, 3)
    for y in (60, 200, 340):
        pencil.line((60, y, 640, y), 0, 3)
    for number, x in enumerate(range(95, 600, 145)):
        digit = drawn(number + 2, 130, 100).convert("L")
        for sheet in (table, digits):
            sheet.paste(digit, (x - 15, 68))
    cleaned = without_table(plane(table), height=65)
    assert np.abs(cleaned - plane(digits)).sum() < 0.02 * np.abs(plane(table) - plane(digits)).sum()


@pytest.mark.parametrize("fall", [pytest.param(0.3, marks=pytest.mark.slow), 0.6])
@pytest.mark.parametrize("is_board", [False, True], ids=["paper", "board"])
def test_where_light_falls_off_a_thin_pen_tells_ink_from_paper(fall: float, is_board: bool) -> None:
    """What a small digit encloses is narrow as well, and of another brightness than the border."""
    y, x = np.mgrid[:900, :700] / 900
    light = 1 - fall * (0.8 * y + 0.5 * x) / 1.2
    for label in range(10):
        ink = Digit(label, 1).ink(160, 5)
        sheet = np.zeros((900, 700))
        sheet[90 : 90 + ink.shape[0], 60 : 60 + ink.shape[1]] = ink
        even = 0.15 + 0.8 * sheet if is_board else 1 - 0.85 * sheet
        found, expected = (find_digit(picture).image.astype(int) for picture in (light * even, 1 - sheet))
        assert np.abs(found - expected).mean() < 4, "2.5 at most; 30 and more where ink is taken for paper"
