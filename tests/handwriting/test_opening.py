"""Pictures are opened whatever their format, and no more of them than is looked at."""

import io
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from digitrec.errors import DataError
from digitrec.preprocessing import picture as reading
from digitrec.preprocessing.digit import find_digit
from digitrec.preprocessing.page_ink import find_page_ink
from digitrec.preprocessing.picture import check_picture, read_picture
from tests.handwriting.situations import EXIF_ORIENTATION, file, picture

DEEP = {
    "16 bits": lambda grey: Image.fromarray(grey.astype(np.uint16) * 257),
    "16 bits, the other order": lambda grey: Image.fromarray((grey.astype(np.uint16) * 257).astype(">u2")),
    "32 bits": lambda grey: Image.fromarray(grey.astype(np.int32)),
    "floats up to 1": lambda grey: Image.fromarray(grey / np.float32(255)),
    "floats up to 255": lambda grey: Image.fromarray(grey.astype(np.float32)),
    "floats up to 65,535": lambda grey: Image.fromarray(grey * np.float32(257)),
}


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image's file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def grey() -> NDArray[np.uint8]:
    """A digit of 1200 x 1200 bytes, from 0 to 255."""
    return np.asarray(ImageOps.autocontrast(picture(4, "mouse", 2).convert("L").resize((1200, 1200))))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_an_image_that_is_given_stays_as_it_is(kind: str, grey: NDArray[np.uint8]) -> None:
    content = saved(Image.fromarray(grey).resize((3000, 2000)), kind)
    given, untouched = Image.open(io.BytesIO(content)), Image.open(io.BytesIO(content))
    first, second = read_picture(given), read_picture(given)
    assert first.size == second.size == given.size == (3000, 2000)
    assert np.array_equal(first.colours, second.colours)
    assert given.tobytes() == untouched.tobytes()


@pytest.mark.parametrize("stored", [False, True], ids=["given", "in a file"])
@pytest.mark.parametrize("deep", DEEP)
def test_more_than_eight_bits_show_the_same_picture(deep: str, stored: bool, grey: NDArray[np.uint8]) -> None:
    image = DEEP[deep](grey)
    seen = read_picture(saved(image, "TIFF") if stored else image).colours
    assert np.abs(seen - read_picture(grey).colours).max() <= 1.01 / 255


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [40, 1700])
def test_a_pixel_that_is_no_number_is_named(wrong: float, side: int) -> None:
    levels = np.ones((side, side), np.float32)
    levels[side // 2, side // 3] = wrong
    with pytest.raises(DataError, match=r"^picture cannot be read as a picture: it has pixels that are no number; exp"):
        read_picture(saved(Image.fromarray(levels), "TIFF"))


@pytest.mark.parametrize("mode", ["<u2", ">u2", "int32", "float32"])
def test_of_a_deep_picture_only_what_is_looked_at_is_unpacked(mode: str) -> None:
    """Of 10 million pixels, beside those that Pillow keeps; the 800 x 728 that are looked at take 7.7 MB in the end."""
    image = Image.fromarray((np.indices((3000, 3300)).sum(axis=0) * 10).astype(mode))
    tracemalloc.start()
    try:
        read_picture(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 15_000_000, "bytes; 9.5 million at the most"


def test_content_beyond_the_bound_is_too_large_and_up_to_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    content = file(3, "mouse", 1)
    monkeypatch.setattr(reading, "CONTENT", len(content))
    assert read_picture(content).colours.size
    with pytest.raises(DataError, match=rf"more than {len(content):,} bytes; give the name of its file instead"):
        read_picture(content + b"\0")


def turned(upright: Image.Image, orientation: int) -> bytes:
    """The file of a camera that was held so: Pillow's own way back is to give the upright image."""
    for turn in [None, *Image.Transpose]:
        lying = upright.copy() if turn is None else upright.transpose(turn)
        lying.getexif()[EXIF_ORIENTATION] = orientation
        if ImageOps.exif_transpose(lying).tobytes() == upright.tobytes():
            return saved(lying, "PNG", exif=lying.getexif())
    raise AssertionError("no way to hold it")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_whichever_way_a_camera_is_held_the_picture_is_upright(orientation: int) -> None:
    upright = picture(4, "mouse", 2).convert("RGB").resize((500, 300))
    content = turned(upright, orientation)
    assert np.array_equal(find_digit(content).image, find_digit(upright).image)
    ours, theirs = find_page_ink(content), find_page_ink(upright)
    assert ours.size == theirs.size == (500, 300)
    assert [[piece.box for piece in line] for line in ours.lines] == [[p.box for p in line] for line in theirs.lines]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_damaged_exif_data_leave_the_pixels_readable(kind: str) -> None:
    upright = picture(4, "mouse", 2).convert("RGB")
    assert np.array_equal(
        find_digit(saved(upright, kind, exif=b"garbage!", quality=95)).image,
        find_digit(saved(upright, kind, quality=95)).image,
    )


def test_an_array_of_sixteen_bits_is_read_as_one_of_eight(grey: NDArray[np.uint8]) -> None:
    deep, shallow = (find_digit(array).image.astype(int) for array in (grey.astype(np.uint16) * 257, grey))
    assert np.abs(deep - shallow).max() <= 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty.png", "cannot be read as a picture: the file is empty"),
        ("pipe.png", "it is a pipe; give its content instead, to digitrec.predict as -"),
        ("photo.HEIC", "HEIC is a format that is not read; save it as AVIF, BMP, "),
        ("absent.png", "No such file or directory.\nNext: check its name."),
    ],
)
def test_what_is_no_picture_is_said_at_once(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "photo.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match=re.escape(words)):
        read_picture(tmp_path / name)
    if name == "empty.png":
        for look in (lambda: read_picture(b""), lambda: check_picture(tmp_path / name)):
            with pytest.raises(DataError, match=words.rpartition(": ")[2]):
                look()


@pytest.mark.parametrize("thing", [None, 5, {"a": 1}])
def test_what_came_is_named(thing: object) -> None:
    with pytest.raises(DataError) as error:
        read_picture(thing)  # type: ignore[arg-type]
    expected = "expected a path, bytes, an image of Pillow or an array"
    assert str(error.value) == f"picture cannot be read as a picture: a {type(thing).__name__}, {expected}."
