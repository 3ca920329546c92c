import pytest
import torch

from digitrec.data.labels import NO_DIGIT
from digitrec.data.synthetic.non_digits import KINDS, non_digits, scribble_lines, turning
from digitrec.data.synthetic.signs import SIGNS
from digitrec.data.synthetic.strokes import write
from tests.handwriting.strange import STRANGE, WRITTEN

each = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("count", [1, 2, 5, 203])
def test_they_are_as_many_as_asked_for_and_labelled_as_no_digit(count: int) -> None:
    images, labels = non_digits(count, 1)
    assert images.shape == (count, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert labels.tolist() == [NO_DIGIT] * count


def test_they_are_a_function_of_count_and_seed() -> None:
    assert torch.equal(non_digits(60, 1).images, non_digits(60, 1).images)
    assert not torch.equal(non_digits(60, 1).images, non_digits(60, 2).images)


@each
def test_images_of_a_kind_are_inked_and_all_different(kind: str) -> None:
    images = KINDS[kind][0](60, torch.Generator().manual_seed(0)).flatten(1).double()
    assert images.shape == (60, 784)
    assert (images.sum(1) > 5 * 255).double().mean() > 0.9, "a few patches may be empty, as empty paper is"
    assert torch.cdist(images, images).add(torch.eye(60) * 9999).min() > 0


def test_a_scribble_turns_more_than_any_digit() -> None:
    generator = torch.Generator().manual_seed(0)
    digits = write(torch.arange(300) % 10, generator, resolution=90).points[:, 0]
    assert turning(scribble_lines(100, generator)).min() > 1.5 * turning(digits).max(), "31 beside 13 radians"


def test_no_kind_and_no_sign_of_the_test_pictures_is_trained_on() -> None:
    assert not KINDS.keys() & STRANGE.keys()
    assert not SIGNS.keys() & WRITTEN.keys()
