import math
from itertools import pairwise

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from digitrec.evaluation.perturbations import PERTURBATIONS

every = pytest.mark.parametrize("name", PERTURBATIONS)


def changed(name: str, images: Tensor, strength: float, seed: int = 0) -> Tensor:
    return PERTURBATIONS[name].apply(images, strength, torch.Generator().manual_seed(seed))


@pytest.fixture
def strokes() -> Tensor:
    """(40, 1, 28, 28): a grey bar and a foot, which no turn or reflection leaves as they are."""
    images = torch.zeros(40, 1, 28, 28)
    images[:, :, 6:22, 12:15] = 1
    images[:, :, 19:22, 15:20] = 0.8
    return images


@pytest.fixture
def noise() -> Tensor:
    return torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def dots(count: int) -> Tensor:
    """One white pixel, right of the centre of each image of odd size (count, 1, 29, 29)."""
    images = torch.zeros(count, 1, 29, 29)
    images[:, :, 14, 22] = 1
    return images


def moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre of the ink, x and y in pixels from the image's centre (N,), and its root mean square radius (N,)."""
    places = torch.arange(images.shape[-1]) - (images.shape[-1] - 1) / 2
    ink = images[:, 0] / images.sum(dim=(1, 2, 3), keepdim=True)[:, 0]
    x, y = (ink * places).sum(dim=(1, 2)), (ink * places[:, None]).sum(dim=(1, 2))
    spread = (ink * (places.square() + places[:, None].square())).sum(dim=(1, 2)) - x.square() - y.square()
    return x, y, spread.sqrt()


@every
def test_no_strength_is_no_change(name: str, noise: Tensor) -> None:
    torch.testing.assert_close(changed(name, noise, 0), noise, atol=1e-5, rtol=0)


@every
def test_a_change_keeps_shape_range_dtype_and_the_images_given(name: str, noise: Tensor) -> None:
    for images in (noise, noise.double(), noise.bfloat16(), noise[:0], noise[:1, :, :20]):
        before = images.clone()
        for strength in PERTURBATIONS[name].strengths:
            found = changed(name, images, strength)
            assert (found.shape, found.dtype) == (images.shape, images.dtype)
            assert torch.all((found >= 0) & (found <= 1))
        assert torch.equal(images, before)


@every
def test_a_change_is_told_by_its_generator_alone(name: str, strokes: Tensor) -> None:
    strength = PERTURBATIONS[name].strengths[-1]
    first = changed(name, strokes, strength)
    torch.rand(1)
    assert torch.equal(changed(name, strokes, strength), first)


@pytest.mark.parametrize("name", ["rotation", "shift", "noise", "occlusion"])
def test_a_random_change_differs_from_image_to_image_and_seed_to_seed(name: str, strokes: Tensor) -> None:
    strength = PERTURBATIONS[name].strengths[-1]
    first = changed(name, strokes, strength)
    assert len(first.unique(dim=0)) > 1
    assert not torch.equal(changed(name, strokes, strength, seed=1), first)


@every
def test_strengths_rise_and_do_more_and_more(name: str, strokes: Tensor) -> None:
    strengths = PERTURBATIONS[name].strengths
    assert 4 <= len(strengths) <= 5
    assert list(strengths) == sorted(set(strengths))
    assert strengths[0] > 0
    change = [(changed(name, strokes, strength) - strokes).square().mean().item() for strength in (0, *strengths)]
    assert all(weaker < stronger for weaker, stronger in pairwise(change)), change


@pytest.mark.parametrize("degrees", [30.0, 90.0])
def test_rotation_turns_to_both_sides_by_the_angle(degrees: float) -> None:
    x, y, _ = moments(changed("rotation", dots(40), degrees))
    angles = torch.atan2(-y, x).rad2deg()
    torch.testing.assert_close(angles.abs(), torch.full((40,), degrees), atol=0.2, rtol=0)
    assert 5 < (angles > 0).sum() < 35


def test_shift_moves_by_whole_pixels_into_all_four_directions(strokes: Tensor) -> None:
    found = changed("shift", strokes, 3)
    ways = [strokes.roll(way, dims=axis) for axis in (2, 3) for way in (-3, 3)]
    taken = torch.stack([torch.isclose(found, way, atol=1e-5).flatten(1).all(dim=1) for way in ways])
    assert torch.all(taken.sum(dim=0) == 1)
    assert torch.all(taken.any(dim=1))


@pytest.mark.parametrize(("name", "sign"), [("smaller", -1), ("larger", 1)])
@pytest.mark.parametrize("percent", [10, 25, 40])
def test_size_changes_by_the_percentage(name: str, sign: int, percent: float) -> None:
    places = torch.arange(48) - 23.5
    disc = ((places.square() + places[:, None].square()) < 14**2).float().expand(2, 1, 48, 48)
    before, after = moments(disc)[2], moments(changed(name, disc, percent))[2]
    torch.testing.assert_close(after / before, torch.full((2,), 1 + sign * percent / 100), atol=0.01, rtol=0)


@pytest.mark.parametrize("pixels", [1, 2])
def test_thickness_is_grey_morphology(noise: Tensor, pixels: int) -> None:
    size, side = (1, 1, 2 * pixels + 1, 2 * pixels + 1), {"mode": "constant"}
    thicker = ndimage.grey_dilation(noise.numpy(), size, cval=0.0, **side)
    thinner = ndimage.grey_erosion(noise.numpy(), size, cval=1.0, **side)
    torch.testing.assert_close(changed("thicker", noise, pixels), torch.from_numpy(thicker))
    torch.testing.assert_close(changed("thinner", noise, pixels), torch.from_numpy(thinner))


def test_thickness_between_whole_pixels_lies_between_them(strokes: Tensor) -> None:
    bar = torch.zeros_like(strokes)
    bar[..., 10:14] = 1
    for name, sign in (("thicker", 1), ("thinner", -1)):
        for pixels in (0.25, 1.0, 1.5):
            width = changed(name, bar, pixels)[..., 14, :].sum(dim=-1)
            torch.testing.assert_close(width, torch.full_like(width, 4 + sign * 2 * pixels))


def test_noise_has_the_deviation() -> None:
    """4 standard deviations of a deviation measured on 31,360 pixels are 1.6 %."""
    grey = torch.full((40, 1, 28, 28), 0.5)
    assert changed("noise", grey, 0.1).std().item() == pytest.approx(0.1, rel=0.016)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5])
def test_blur_is_scipys(noise: Tensor, sigma: float) -> None:
    radius = math.ceil(3 * sigma)
    expected = ndimage.gaussian_filter(noise.numpy(), sigma, axes=(2, 3), mode="constant", radius=radius)
    torch.testing.assert_close(changed("blur", noise, sigma), torch.from_numpy(expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", [1, 4, 7])
def test_occlusion_blacks_out_a_square_that_hits_ink(strokes: Tensor, side: int) -> None:
    found = changed("occlusion", strokes, side)
    gone = (found == 0) & (strokes > 0)
    assert torch.all(gone.sum(dim=(1, 2, 3)) >= min(side, 3))
    assert torch.equal(found[~gone], strokes[~gone])
    paper = changed("occlusion", strokes.clamp(min=1e-6), side)
    black = (paper == 0)[:, 0]
    assert torch.all(black.any(dim=2).sum(dim=1) == side)
    assert torch.all(black.any(dim=1).sum(dim=1) == side)
    assert torch.all(black.sum(dim=(1, 2)) == side**2)


def test_occlusion_of_an_empty_image_leaves_it_empty() -> None:
    assert not changed("occlusion", torch.zeros(3, 1, 28, 28), 5).any()


@pytest.mark.parametrize(("percent", "paper", "ink"), [(40, 0.2, 0.8), (100, 0.5, 0.5)])
def test_contrast_raises_paper_and_dims_ink(percent: float, paper: float, ink: float) -> None:
    images = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert changed("contrast", images, percent).flatten().tolist() == pytest.approx([paper, ink])


def test_a_change_looks_at_each_image_alone(strokes: Tensor) -> None:
    """What is in one image changes nothing in another."""
    for name, change in PERTURBATIONS.items():
        other = strokes.clone()
        other[0] = 0.5
        strength = change.strengths[-1]
        assert torch.equal(changed(name, strokes, strength)[1:], changed(name, other, strength)[1:]), name
