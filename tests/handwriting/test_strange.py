"""The network that comes with digitrec in front of what is no digit."""

import pytest

from digitrec import Recognizer
from tests.handwriting.situations import file
from tests.handwriting.strange import STRANGE, sketch

# Of 20 each, one more than were taken; of other kinds 1.
MOST_TAKEN = {"drawings": 6, "clothes": 3, "written_letters": 2, "printed_letters": 3, "photos": 2, "grain": 2}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_digit_is_not_read_as_one(kind: str, recognizer: Recognizer) -> None:
    readings = list(recognizer.read_all(sketch(kind, seed) for seed in range(1000, 1020)))
    taken = sum(reading.label is not None for reading in readings)
    assert taken <= MOST_TAKEN.get(kind, 1)
    for reading in readings:
        assert (reading.label is None) == (reading.problem is not None)
        assert reading.problem is None or reading.problem.startswith("not a digit: ")
        assert reading.image is not None


@pytest.mark.parametrize(
    "situation",
    [
        "mouse", "finger", "white_on_black",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("mouse_thin", "legal_pad", "marker")),
    ],
)  # fmt: skip
def test_digits_are_not_doubted(situation: str, recognizer: Recognizer) -> None:
    readings = recognizer.read_all(file(label % 10, situation, seed=900 + label) for label in range(20))
    assert sum(reading.label is None for reading in readings) <= 1, "of 20"
