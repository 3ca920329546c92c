import math
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from digitrec.evaluation import views

CONF = Path(__file__).parents[2] / "conf" / "tta"


@pytest.fixture
def images() -> Tensor:
    """Noise with a margin, so that nothing leaves the frame."""
    inner = torch.rand(6, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.pad(inner, (4, 4, 4, 4))


@pytest.mark.parametrize(("shift", "degrees", "count"), [(1, 5, 7), (1, 0, 5), (0, 5, 3), (0, 0, 1)])
def test_a_strength_of_0_leaves_its_views_out(images: Tensor, shift: float, degrees: float, count: int) -> None:
    tta = views.TestTimeAugmentation(shift, degrees)
    assert len(tta) == len(tta(images)) == count


def test_views_are_floats_in_range_of_the_same_shape(images: Tensor) -> None:
    before = images.clone()
    for view in views.TestTimeAugmentation(2.5, 30)(images):
        assert (view.shape, view.dtype) == (images.shape, images.dtype)
        assert torch.all((view >= 0) & (view <= 1))
    assert torch.equal(images, before)


def test_bytes_are_looked_at_like_floats(images: Tensor) -> None:
    whole = (images * 255).round().to(torch.uint8)
    tta = views.TestTimeAugmentation()
    for ours, theirs in zip(tta(whole), tta(whole.float() / 255), strict=True):
        assert torch.equal(ours, theirs)


def test_views_move_up_down_left_and_right(images: Tensor) -> None:
    ways = [(-2, 0), (2, 0), (0, -2), (0, 2)]
    first, *others = views.TestTimeAugmentation(2, 0)(images)
    assert torch.equal(first, images)
    for view, way in zip(others, ways, strict=True):
        torch.testing.assert_close(view, images.roll(way, dims=(2, 3)), atol=1e-5, rtol=0)


def test_half_a_pixel_is_halfway_along_a_cubic(images: Tensor) -> None:
    up = views.TestTimeAugmentation(0.5, 0)(images)[1]
    rows = [images.roll(shift, dims=2) for shift in (1, 0, -1, -2)]
    weights = (-0.09375, 0.59375, 0.59375, -0.09375)  # Keys' kernel with a = -0.75 at 3/2, 1/2, 1/2, 3/2
    halfway = sum(weight * row for weight, row in zip(weights, rows, strict=True))
    torch.testing.assert_close(up, torch.as_tensor(halfway).clamp(0, 1), atol=1e-5, rtol=0)


def test_views_turn_counter_clockwise_and_clockwise(images: Tensor) -> None:
    for view, turns in zip(views.TestTimeAugmentation(0, 90)(images)[1:], (1, -1), strict=True):
        torch.testing.assert_close(view, images.rot90(turns, dims=(2, 3)), atol=1e-5, rtol=0)


def test_small_turns_move_ink_by_the_angle() -> None:
    dot = torch.zeros(1, 1, 29, 29)
    dot[..., 14, 24] = 1
    for view, degrees in zip(views.TestTimeAugmentation(0, 5)(dot)[1:], (5, -5), strict=True):
        height = (view[0, 0] * (14 - torch.arange(29.0))[:, None]).sum() / view.sum()
        assert height.item() == pytest.approx(10 * math.sin(math.radians(degrees)), abs=0.1)


def test_the_option_small_writes_out_the_defaults() -> None:
    small = yaml.safe_load((CONF / "small.yaml").read_text(encoding="utf-8"))
    assert small.pop("_target_") == "digitrec.evaluation.views.TestTimeAugmentation"
    assert small == {
        name: value for name, value in vars(views.TestTimeAugmentation()).items() if not name.startswith("_")
    }


def test_configurations_of_earlier_versions_find_it_under_its_old_name() -> None:
    assert views.Views is views.TestTimeAugmentation
