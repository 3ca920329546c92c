import numpy as np
import pytest

from digitrec.data.synthetic.non_digits import non_digits
from digitrec.data.synthetic.written import written_digits
from digitrec.recognition.rejection import certainties, crossings, rejection_reason, threshold_for

DIGITS = tuple("0123456789")
SURE = np.eye(10, dtype=np.float32)[3]
EVEN = np.full(10, 0.1, np.float32)
THREE = written_digits(10, 0).images[3, 0].numpy()


def test_certainty_is_that_of_the_two_most_probable_classes_in_any_order() -> None:
    torn = np.array([0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5], np.float32)
    assert certainties(np.stack([SURE, torn, EVEN])) == pytest.approx([1, 1, 0.2])
    assert certainties(np.roll(torn, 3)) == pytest.approx(1)


@pytest.mark.parametrize("accepted", [0.5, 0.95, 0.99])
def test_a_threshold_accepts_the_share_that_is_asked_for(accepted: float) -> None:
    values = np.random.default_rng(0).random(997, dtype=np.float32)
    share = (values >= threshold_for(values, accepted)).mean()
    assert accepted <= share < accepted + 0.003


def test_a_digit_of_high_certainty_is_accepted() -> None:
    assert rejection_reason(THREE, SURE, DIGITS, 0.9) is None


def test_without_a_threshold_any_certainty_is_accepted() -> None:
    assert rejection_reason(THREE, EVEN, DIGITS) is None


def test_a_certainty_below_the_threshold_is_rejected() -> None:
    reason = rejection_reason(THREE, EVEN, DIGITS, 0.9)
    assert reason == "it looks like none (confidence 20%, threshold 90%)"


@pytest.mark.parametrize("threshold", [None, 0.9])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("names", [DIGITS, ("shirt", "shoe", *DIGITS[2:])])
def test_probabilities_that_are_not_numbers_are_rejected(
    wrong: float, threshold: float | None, names: tuple[str, ...]
) -> None:
    answer = SURE.copy()
    answer[7] = wrong
    assert rejection_reason(THREE, answer, names, threshold) == "the network's output is not a number"


def test_without_ink_there_is_no_digit() -> None:
    assert rejection_reason(np.zeros((28, 28), np.uint8), SURE, DIGITS) == "no ink found"


def test_a_dash_is_too_flat() -> None:
    dash = np.zeros((28, 28), np.uint8)
    dash[12:15, 4:24] = 255
    assert rejection_reason(dash, SURE, DIGITS) == "7 times as wide as high, a digit at most 3"
    assert rejection_reason(dash.T, SURE, DIGITS) is None


def test_a_full_square_has_too_much_ink() -> None:
    full = np.zeros((28, 28), np.uint8)
    full[4:24, 4:24] = 255
    assert rejection_reason(full, SURE, DIGITS) == "ink covers 100% of it, of a digit at most 85%"


def test_a_chequered_square_is_too_fine() -> None:
    board = np.pad(np.indices((20, 20)).sum(0) % 2 * 255, 4).astype(np.uint8)
    assert (
        rejection_reason(board, SURE, DIGITS) == "too fine a texture, 10.0 strokes side by side, in a digit at most 4.0"
    )


def test_clothes_may_be_full_of_ink() -> None:
    assert rejection_reason(np.full((28, 28), 255, np.uint8), SURE, ("shirt", "shoe")) is None


def test_no_written_digit_is_refused_for_its_ink_alone() -> None:
    images = written_digits(3000, 5).images[:, 0].numpy()
    assert [rejection_reason(image, SURE, DIGITS) for image in images] == [None] * 3000


def test_crossings_do_not_change_when_an_image_is_transposed() -> None:
    images = non_digits(100, 0).images[:, 0].numpy()
    assert [crossings(image) for image in images] == [crossings(image.T) for image in images]
