import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from digitrec.recognition.explanation import draw_reading
from digitrec.recognition.occlusion import WINDOW, occlusion_map
from digitrec.recognition.reading import Reading
from digitrec.recognition.recognizer import Recognizer
from tests.handwriting.situations import file

IMAGE = np.zeros((28, 28), np.uint8)
IMAGE[5:24, 8:20] = 200


def by_side(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Three classes: ink on the left supports the first, ink on the right the second, none for the third."""
    shares = images.sum(axis=1, dtype=np.float64) / 20_000
    logits = np.stack([shares[:, :14].sum(1), shares[:, 14:].sum(1), np.zeros(len(images))], axis=1)
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def test_ink_supports_the_class_that_is_less_probable_without_it() -> None:
    found = occlusion_map(by_side, IMAGE, 0, 1)
    assert (found[IMAGE == 0] == 0).all(), "paper supports nothing"
    assert (found[5:24, 8 : 14 - WINDOW + 2] > 0).all()
    assert (found[5:24, 13 + WINDOW - 1 : 20] < 0).all()
    assert found[14, 9] == pytest.approx(found[14, 18] * -1, abs=1e-4), "both sides are alike"


def test_support_for_one_class_is_the_negative_of_that_for_the_other() -> None:
    assert occlusion_map(by_side, IMAGE, 0, 1) == pytest.approx(-occlusion_map(by_side, IMAGE, 1, 0), abs=1e-4)


def test_the_network_is_called_once_and_without_ink_for_one_image() -> None:
    counts = []

    def read(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        counts.append(len(images))
        return by_side(images)

    assert not occlusion_map(read, np.zeros_like(IMAGE), 0, 1).any()
    occlusion_map(read, IMAGE, 0, 1)
    assert counts == [1, 1 + (19 + WINDOW - 1) * (12 + WINDOW - 1)]


def test_the_roof_of_a_seven_tells_it_from_a_one() -> None:
    recognizer = Recognizer()
    seven = np.zeros((28, 28), np.float32)
    seven[4:7, 8:20] = seven[4:24, 17:20] = 1
    (reading,) = recognizer.read_ink([seven])
    assert reading.image is not None
    one_after = Reading("7", {"7": reading.probabilities["7"], "1": reading.probabilities["1"]}, reading.image)
    found = recognizer.occlusion_map(one_after)
    strongest, _ = np.unravel_index(found.argmax(), found.shape)
    assert strongest < 10


@pytest.mark.parametrize("name", ["photo.png", "a\nb\x1b[0m.png", "\u4e94" * 300])
def test_the_drawing_has_its_size_whatever_the_picture_is_called(name: str) -> None:
    recognizer, picture = Recognizer(), file(4, "ballpoint_photo", 3)
    reading = recognizer.read(picture)
    drawing = draw_reading(picture, reading, recognizer.occlusion_map(reading), name)
    assert drawing.width == 920
    assert 378 <= drawing.height <= 460


def test_no_digit_is_explained_too() -> None:
    recognizer, empty = Recognizer(), Image.new("RGB", (300, 20), "white")
    reading = recognizer.read(empty)
    assert reading.label is None
    drawing = draw_reading(empty, reading, recognizer.occlusion_map(reading), "empty.png")
    assert drawing.size[0] == 920
