"""The network that comes with digitrec in front of what is no digit."""

import numpy as np
import pytest

from digitrec import Recognizer
from tests.handwriting.situations import file
from tests.handwriting.strange import STRANGE, sketch

MOST_TAKEN = {"clothes": 9, "drawings": 7, "textures": 7, "written_letters": 6}  # of 20; of other kinds 4


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.mark.parametrize("kind", STRANGE)
def test_a_picture_is_a_function_of_kind_and_seed(kind: str) -> None:
    first = np.asarray(sketch(kind, 3))
    assert np.array_equal(first, np.asarray(sketch(kind, 3)))
    assert not np.array_equal(first, np.asarray(sketch(kind, 4)))


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_digit_is_not_read_as_one(kind: str, recognizer: Recognizer) -> None:
    readings = list(recognizer.read_all(sketch(kind, seed) for seed in range(1000, 1020)))
    taken = sum(reading.label is not None for reading in readings)
    assert taken <= MOST_TAKEN.get(kind, 4)
    for reading in readings:
        assert (reading.label is None) == (reading.problem is not None)
        assert reading.problem is None or reading.problem.startswith("not a digit: ")
        assert reading.image is not None


@pytest.mark.parametrize("situation", ["mouse", "mouse_thin", "finger", "white_on_black"])
def test_digits_are_not_doubted(situation: str, recognizer: Recognizer) -> None:
    readings = recognizer.read_all(file(label % 10, situation, seed=900 + label) for label in range(20))
    assert sum(reading.label is None for reading in readings) <= 1, "of 20"
