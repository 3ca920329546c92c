"""What is no writing is told from it: lines at the edge, frames, desks, shadows, rules."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from digitrec.pictures.digit import find_digit
from digitrec.pictures.frames import without_frame
from digitrec.pictures.rules import without_rules, without_table
from digitrec.pictures.surroundings import cornered, edge_line, only_paper, squareness
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
