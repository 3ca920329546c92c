import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.handwriting.digits import Digit, cropped
from tests.handwriting.situations import EXIF_ORIENTATION, SITUATIONS, file, picture, save

each = pytest.mark.parametrize("name", SITUATIONS)


@cache
def first(name: str) -> bytes:
    """A situation's file that several tests look at."""
    return file(2, name, seed=5)


@each
def test_a_picture_comes_in_the_format_and_the_mode_of_its_situation(name: str) -> None:
    image = Image.open(io.BytesIO(first(name)))
    assert (image.format, image.mode) == (SITUATIONS[name].format, SITUATIONS[name].mode)


@each
def test_a_picture_is_a_function_of_situation_and_seed(name: str) -> None:
    assert file(2, name, seed=5) == first(name)
    assert file(2, name, seed=6) != first(name)


@each
def test_a_digit_stands_out_from_what_lies_around_it(name: str) -> None:
    levels = grey(Image.open(io.BytesIO(first(name))))
    assert np.ptp(np.quantile(levels, [0.0005, 0.9995])) > 40, "of 255"


def grey(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Levels over white paper."""
    if image.mode == "I;16":
        return np.asarray(image, np.float64) / 257
    over = Image.new("RGBA", image.size, "white")
    over.alpha_composite(image.convert("RGBA"))
    return np.asarray(over.convert("L"), np.float64)


def test_sizes_range_from_tiny_to_huge() -> None:
    assert max(picture(0, "tiny", seed=0).size) <= 56
    assert picture(0, "huge", seed=0).size == (3000, 3000)


def test_a_turned_phone_says_so() -> None:
    orientations = {picture(1, "turned_phone", seed).getexif()[EXIF_ORIENTATION] for seed in range(12)}
    assert orientations == {3, 6, 8}


def test_turned_back_by_its_exif_data_a_picture_is_upright() -> None:
    for seed in range(6):
        image = ImageOps.exif_transpose(picture(1, "turned_phone", seed, style="1-bare"))
        dark = np.argwhere(grey(image) < np.quantile(grey(image), 0.004))
        height, width = np.ptp(dark, axis=0)
        assert height > 1.5 * width


def test_what_touches_the_border_does() -> None:
    for seed in range(8):
        ink = grey(picture(5, "touching_border", seed)) < 250
        assert any(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
        near = grey(picture(5, "near_border", seed)) < 250
        assert not any(edge.any() for edge in (near[0], near[-1], near[:, 0], near[:, -1]))


def test_a_file_is_saved_under_its_formats_suffix(tmp_path: Path) -> None:
    path = save(tmp_path, 4, "one_bit", seed=3)
    assert path.name == "one_bit_4_3.tif"
    assert path.read_bytes() == file(4, "one_bit", seed=3)
    assert Image.open(io.BytesIO(path.read_bytes())).format == "TIFF"


@pytest.mark.parametrize("height", [20, 200, 1500])
def test_other_peoples_digits_are_enlarged_to_the_height_asked_for(height: int) -> None:
    ink = Digit(6, seed=1, source="digits").ink(height, pen=1)
    assert abs(ink.shape[0] - height) <= 0.15 * height
    assert ink.max() > 0.95
    assert cropped(ink).shape == ink.shape


def test_the_pen_of_a_written_digit_is_as_wide_as_asked_for() -> None:
    stroke = Digit(1, seed=1, style="1-bare").ink(300, pen=12, jagged=True)
    height, width = stroke.shape  # of a stroke that leans
    assert stroke.sum() / np.hypot(height, width - 12) == pytest.approx(12, rel=0.15)
