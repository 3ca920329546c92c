import pytest
import torch
from torch import Tensor

from digitrec.data.synthetic import wear
from digitrec.data.synthetic.ink import draw, pens
from digitrec.data.synthetic.strokes import write


def clean(count: int = 200) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    strokes = write(torch.arange(count) % 10, generator)
    return draw(strokes, pens(strokes, generator))


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_worn_digits_are_inked_and_framed_as_mnists_are() -> None:
    images = wear.worn(clean(), seeded(), share=1.0)
    assert (images.dtype, images.shape) == (torch.uint8, (200, 1, 28, 28))
    index = torch.arange(28)
    for inked in ((images > 0).any(2), (images > 0).any(3)):
        extent = torch.where(inked, index, -1).amax(-1) - torch.where(inked, index, 99).amin(-1) + 1
        assert extent.max() == 20
        assert extent.min() >= 1


def test_wear_is_a_function_of_images_and_seed_and_leaves_what_it_was_given() -> None:
    images = clean()
    before = images.clone()
    assert torch.equal(wear.worn(images, seeded()), wear.worn(images, seeded()))
    assert not torch.equal(wear.worn(images, seeded()), wear.worn(images, seeded(2)))
    assert torch.equal(images, before)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_about_the_share_asked_for_is_worn(share: float) -> None:
    images = clean(1000)
    changed = (wear.worn(images, seeded(), share) != images).flatten(1).any(1).double().mean()
    assert share - 0.16 <= changed <= share + 0.06, "some wear shows nowhere: gaps beside the strokes, no speck"


@pytest.mark.parametrize(("kind", "sign"), [("faded", -1), ("broken", -1), ("ruled", 1), ("dirty", 1)])
def test_ink_is_only_lost_by_fading_and_gaps_and_only_added_by_lines_and_specks(kind: str, sign: int) -> None:
    ink = clean() / 255
    change = sign * (getattr(wear, kind)(ink, seeded()) - ink)
    assert change.min() >= -1e-6
    assert (change.amax((1, 2, 3)) > 0.1).double().mean() > 0.3


def test_small_screens_have_no_grey_and_coarse_pictures_no_detail() -> None:
    ink = clean() / 255
    assert wear.stepped(ink, seeded()).unique().tolist() == [0, 1]
    steps = [picture.diff(dim=-1).abs().sum() for picture in (ink, wear.coarse(ink, seeded()))]
    assert steps[1] < 0.8 * steps[0]


def test_what_wear_would_wipe_out_stays() -> None:
    images = clean(3)
    assert torch.equal(wear._framed(torch.zeros(3, 1, 28, 28), images), images)
