"""People's pictures through the whole preparation, read with the weights that come with digitrec."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from digitrec import Recognizer
from digitrec.errors import DataError
from digitrec.models.checkpoint_file import read_portable
from digitrec.preprocessing.digit import find_digit
from digitrec.preprocessing.framing import SIDE
from digitrec.preprocessing.ink import find_ink
from digitrec.preprocessing.marks import find_marks
from digitrec.preprocessing.picture import Picture, read_picture
from digitrec.recognition.rejection import certainties
from digitrec.weights import HANDWRITING
from scripts.measure import media
from scripts.measure.people import people
from tests.handwriting.situations import SITUATIONS, file, picture


def two(side: int, paper: str = "white", pen: str = "black") -> Image.Image:
    """A 2 on a square sheet."""
    drawn = Image.new("RGB", (side, side), paper)
    points = [(0.33, 0.3), (0.42, 0.22), (0.56, 0.22), (0.64, 0.32), (0.6, 0.45), (0.36, 0.72), (0.68, 0.72)]
    width = max(1, side // 20)
    ImageDraw.Draw(drawn).line([(x * side, y * side) for x, y in points], pen, width, joint="curve")
    return drawn


@pytest.mark.mnist
def test_mnists_own_digits_stay_what_they_are(recognizer: Recognizer) -> None:
    from digitrec.data.datasets import load

    images = load("mnist", "train").images[::100, 0].numpy()
    found = np.stack([find_digit(image).image for image in images])
    assert (found == images).all(axis=(1, 2)).mean() > 0.95, "97.8 % of 3,000"
    assert np.abs(found.astype(int) - images).mean() < 0.3, "0.12 of 255"
    assert np.array_equal(
        recognizer.probabilities(found).argmax(axis=1), recognizer.probabilities(images).argmax(axis=1)
    )


@pytest.mark.mnist
def test_the_weights_in_the_box_read_as_well_as_their_card_says(recognizer: Recognizer) -> None:
    from digitrec.data.datasets import load

    card = read_portable(HANDWRITING)["card"]
    images, labels = load("mnist", "test")
    probabilities = recognizer.probabilities(images[:, 0].numpy())
    right = probabilities.argmax(axis=1) == labels.numpy()
    assert right.mean() == pytest.approx(card["test"]["accuracy"], abs=3e-4)
    assert right.mean() >= 0.995
    accepted = (certainties(probabilities) >= card["not_a_digit"]["threshold"]).mean()
    assert accepted == pytest.approx(card["not_a_digit"]["accepted"]["test"], abs=3e-4)
    assert accepted >= 0.985, "99 % of held-out digits"
    assert HANDWRITING.stat().st_size <= 1_000_000


@pytest.mark.parametrize("side", [20, 28, 60, 200, 1000, 4000])
def test_the_size_of_a_picture_does_not_matter(side: int, recognizer: Recognizer) -> None:
    assert recognizer.read(two(side)).label == "2"


@pytest.mark.parametrize(
    ("paper", "pen"), [("black", "white"), ("ivory", "navy"), ("#223344", "#ffddaa"), ("#dddddd", "#777777")]
)
def test_the_colours_do_not_matter(paper: str, pen: str) -> None:
    plain, coloured = find_digit(two(200)).image, find_digit(two(200, paper, pen)).image
    assert np.abs(plain.astype(int) - coloured).mean() < 3


def test_where_the_digit_stands_does_not_matter() -> None:
    sheet = Image.new("RGB", (600, 400), "white")
    sheet.paste(two(200), (380, 20))
    assert np.abs(find_digit(sheet).image.astype(int) - find_digit(two(200)).image).mean() < 1


@pytest.mark.parametrize("side", [810, 900, 1000, 1150, 1300, 1457, 1600, 2000, 2700])
def test_the_thinnest_line_stays_whole_however_large_the_canvas(side: int) -> None:
    canvas = Image.new("L", (side, side), 255)
    corners = [(0.2, 0.3), (0.31, 0.21), (0.6, 0.25), (0.28, 0.77), (0.28, 0.5), (0.7, 0.5), (0.61, 0.83)]
    ImageDraw.Draw(canvas).line([(x * side, y * side) for x, y in corners], 0, 1)
    _, marks = find_marks(find_ink(read_picture(canvas).colours))
    assert len(marks) == 1


def test_an_array_is_a_picture_too(recognizer: Recognizer) -> None:
    grey = np.asarray(two(100).convert("L"))
    assert [recognizer.read(array).label for array in (grey, grey / np.float32(255), grey > 128)] == ["2"] * 3


@pytest.mark.parametrize("empty", [Image.new("RGB", (300, 200), "beige"), np.zeros((28, 28), np.uint8)])
def test_empty_paper_is_no_digit_and_like_none(empty: Picture, recognizer: Recognizer) -> None:
    reading = recognizer.read(empty)
    assert (reading.label, reading.confidence, reading.probabilities) == (None, 0.0, {})
    assert reading.problem == "not a digit: no ink found"
    assert reading.image is not None
    assert reading.image.shape == (SIDE, SIDE)


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 2)), np.full((9, 9), 1.5), np.full((9, 9), 999), b"text", "no/file"])
def test_what_is_no_picture_is_named(wrong: object, recognizer: Recognizer) -> None:
    with pytest.raises(DataError, match=r"(picture|no/file) cannot be read as a picture"):
        recognizer.read(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("numbers", [(0, 4, 8), pytest.param(range(10), marks=pytest.mark.slow)], ids=["three", "ten"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_picture_as_people_send_it_is_read(situation: str, numbers: Sequence[int], recognizer: Recognizer) -> None:
    """Of 10 each, 99.5 % were read right; a situation as such must not fail."""
    readings = recognizer.read_all([file(label, situation, seed=31) for label in numbers])
    right = sum(reading.label == str(label) for reading, label in zip(readings, numbers, strict=True))
    assert right >= len(numbers) * 2 // 3


def test_a_picture_from_a_file_is_read_as_one_that_was_opened(recognizer: Recognizer) -> None:
    assert recognizer.read(file(3, "mouse", 1)).probabilities == recognizer.read(picture(3, "mouse", 1)).probabilities


@pytest.mark.parametrize("medium", media.MEDIA)
def test_strangers_are_read_in_every_medium(medium: str, recognizer: Recognizer) -> None:
    """Digits of made-up people, who share nothing with training; `scripts.measure.strangers` counts them all."""
    labels = dict(zip(list(people())[::2], range(10), strict=False))
    readings = recognizer.read_all(media.file(person, label, medium, take=5) for person, label in labels.items())
    right = [reading.label == str(label) for label, reading in zip(labels.values(), readings, strict=True)]
    assert sum(right) >= len(right) - 1
