import inspect
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from digitrec.data import augmentation
from digitrec.data.augmentation import (
    Affine,
    Augmentation,
    Compose,
    Cutmix,
    Elastic,
    Erasing,
    Geometric,
    Mixing,
    Mixup,
    Shift,
    Thickness,
    affine_warp,
    dilate,
    resample,
)
from digitrec.errors import UsageError

CONF = Path(__file__).parents[2] / "conf" / "augmentation"
EVERY: list[Augmentation] = [
    Shift(),
    Affine(),
    Elastic(),
    Thickness(),
    Erasing(probability=1.0),
    Compose([Thickness(), Affine(), Elastic(), Erasing(probability=1.0)]),
]
MIXINGS: list[Mixing] = [Mixup(probability=1.0), Cutmix(probability=1.0)]


def name_of(augment: Augmentation) -> str:
    return type(augment).__name__


each = pytest.mark.parametrize("augment", [*EVERY, *MIXINGS], ids=name_of)
each_of_one_image = pytest.mark.parametrize("augment", EVERY, ids=name_of)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def noise(*shape: int) -> Tensor:
    return torch.rand(shape or (16, 1, 28, 28))


def blobs(count: int, size: int = 48) -> Tensor:
    """The same smooth ink (count, 1, size, size), which no turn or reflection leaves as it is."""
    y, x = torch.meshgrid(*[torch.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    wide = torch.exp(-((x - 4).square() + (y + 3).square()) / 50)
    narrow = torch.exp(-((x + 5).square() + (y - 1).square()) / 25)
    return (0.6 * wide + 0.4 * narrow).expand(count, 1, size, size)


def seeded(augment: Augmentation, images: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return augment(images)


def affine(images: Tensor, **arguments: float) -> Tensor:
    values = {"degrees": 0.0, "dx": 0.0, "dy": 0.0, "scale": 1.0, "shear": 0.0} | arguments
    warp = affine_warp(**{name: torch.full((1, 1, 1), value) for name, value in values.items()})
    return resample(images, warp)


def at(warp: augmentation.Warp, x: float, y: float, count: int) -> Tensor:
    """Where each warp leads one point: (count, 2)."""
    moved = warp(torch.full((count, 1, 1), x), torch.full((count, 1, 1), y))
    return torch.stack([coordinate.expand(count, 1, 1).flatten() for coordinate in moved], dim=1)


def centre_of_mass(images: Tensor) -> Tensor:
    """x and y in pixels from the centre, y down: (2,)."""
    height, width = images.shape[-2:]
    x, y = torch.arange(width) - (width - 1) / 2, torch.arange(height) - (height - 1) / 2
    ink = images[0, 0] / images[0, 0].sum()
    return torch.stack([(ink * x).sum(), (ink * y[:, None]).sum()])


# What every augmentation keeps


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "shape", [(5, 1, 28, 28), (1, 1, 28, 28), (0, 1, 28, 28), (4, 3, 17, 40), (3, 1, 8, 8)], ids=str
)
def test_shape_dtype_range_and_input_stay(augment: Augmentation, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    images = noise(*shape).to(dtype)
    before = images.clone()
    changed = augment(images)
    assert (changed.shape, changed.dtype, changed.device) == (images.shape, images.dtype, images.device)
    assert ((changed >= 0) & (changed <= 1)).all()
    assert torch.equal(images, before)


@each_of_one_image
def test_everything_happens_on_the_images_device(augment: Augmentation) -> None:
    images = torch.empty(4, 1, 28, 28, device="meta")  # refuses to meet a tensor from elsewhere
    assert augment(images).device == images.device


@each
def test_the_range_holds_on_plain_ink(augment: Augmentation) -> None:
    assert augment(torch.ones(64, 1, 28, 28)).max() <= 1


@each
def test_the_seed_decides(augment: Augmentation) -> None:
    images = noise()
    assert torch.equal(seeded(augment, images, 1), seeded(augment, images, 1))
    assert not torch.equal(seeded(augment, images, 1), seeded(augment, images, 2))


@each_of_one_image
def test_each_image_has_its_own_draw(augment: Augmentation) -> None:
    changed = augment(noise(1, 1, 28, 28).expand(32, 1, 28, 28))
    different = {tuple(image.flatten().tolist()) for image in changed}
    assert len(different) >= 10  # a shift has 25 places; about 18 of them are expected


@each_of_one_image
def test_an_image_does_not_depend_on_its_neighbours(augment: Augmentation) -> None:
    images, others = noise(), noise()
    others[3] = images[3]
    torch.testing.assert_close(seeded(augment, images)[3], seeded(augment, others)[3])


@pytest.mark.parametrize(
    "augment",
    [
        Shift(0),
        Affine(degrees=0, shift=0, scale=0, shear=0),
        Elastic(alpha=0),
        Thickness(0),
        Erasing(probability=0),
        Compose([]),
        Compose([Shift(0), Elastic(alpha=0)]),
    ],
    ids=lambda augment: type(augment).__name__,
)
def test_no_strength_is_the_identity(augment: Augmentation) -> None:
    images = noise()
    torch.testing.assert_close(augment(images), images, atol=1e-5, rtol=0)


# Where ink goes


def test_a_quarter_turn_is_rot90() -> None:
    images = noise()
    torch.testing.assert_close(affine(images, degrees=90), images.rot90(dims=(2, 3)), atol=1e-4, rtol=0)


def test_a_positive_angle_turns_counter_clockwise() -> None:
    right = affine(blobs(1), dx=8)
    moved = centre_of_mass(affine(right, degrees=20)) - centre_of_mass(right)
    assert moved[1] < -1


def test_a_positive_shear_leans_the_top_to_the_right() -> None:
    top = affine(blobs(1), dy=-8)
    moved = centre_of_mass(affine(top, shear=20)) - centre_of_mass(top)
    assert moved[0] > 1
    assert abs(moved[1]) < 0.05


def test_a_shift_moves_the_centre_of_mass() -> None:
    moved = centre_of_mass(affine(blobs(1), dx=2.5, dy=-1.25)) - centre_of_mass(blobs(1))
    torch.testing.assert_close(moved, torch.tensor([2.5, -1.25]), atol=0.05, rtol=0)  # cubic weights, 0.046 off


def test_a_shift_is_a_slice_filled_up_with_zeros() -> None:
    images = noise(32, 2, 12, 20)
    warp = Shift(3).draw(images)
    shifts = (-at(warp, 0, 0, len(images))).int().tolist()
    assert {dx for dx, _ in shifts} == set(range(-3, 4))
    for image, moved, (dx, dy) in zip(images, resample(images, warp), shifts, strict=True):
        expected = F.pad(image, (3, 3, 3, 3))[:, 3 - dy : 15 - dy, 3 - dx : 23 - dx]
        torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


def test_ink_is_kept_by_turning_and_scales_with_the_area() -> None:
    images = blobs(64)
    before = images.sum((1, 2, 3))
    turned = Affine(degrees=10, shift=2, scale=0, shear=10)(images).sum((1, 2, 3))
    torch.testing.assert_close(turned / before, torch.ones(64), atol=0.01, rtol=0)
    larger = affine(images, scale=1.1).sum((1, 2, 3))
    torch.testing.assert_close(larger / before, torch.full((64,), 1.21), atol=0.01, rtol=0)


# How far it goes


def test_affine_draws_stay_within_their_strengths_and_use_them() -> None:
    count, strengths = 4096, {"degrees": 12.0, "shift": 3.0, "scale": 0.2, "shear": 15.0}
    warp = Affine(**strengths).draw(torch.empty(count, 1, 28, 28))
    origin = at(warp, 0, 0, count)
    inverse = torch.stack([at(warp, 1, 0, count) - origin, at(warp, 0, 1, count) - origin], dim=2)
    forward = torch.linalg.inv(inverse)
    scale = forward[:, :, 0].norm(dim=1)
    angle = torch.atan2(-forward[:, 1, 0], forward[:, 0, 0])
    unturned = forward[:, 0, 1] * angle.cos() - forward[:, 1, 1] * angle.sin()
    shift = -(forward @ origin[:, :, None])
    draws = {
        "degrees": angle.rad2deg(),
        "shift": shift,
        "scale": scale - 1,
        "shear": -(unturned / scale).atan().rad2deg(),
    }
    for name, drawn in draws.items():
        assert drawn.abs().max() <= strengths[name] * 1.0001, name
        assert drawn.max() > 0.98 * strengths[name], name
        assert drawn.min() < -0.98 * strengths[name], name


@pytest.mark.parametrize(("alpha", "sigma"), [(34.0, 4.0), (20.0, 3.0), (60.0, 9.5)])
def test_elastic_displacements_have_the_paper_s_distribution(alpha: float, sigma: float) -> None:
    warp, count = Elastic(alpha, sigma).draw(torch.empty(4096, 1, 28, 20)), 4096
    centre, corner = at(warp, 0, 0, count), at(warp, 9.5, 13.5, count) - torch.tensor([9.5, 13.5])
    near = at(warp, sigma, 0, count) - torch.tensor([sigma, 0])
    for displacement in (centre, corner, near):
        assert displacement.abs().max() <= alpha / sigma
        assert displacement.std() == pytest.approx(alpha / (sigma * (12 * torch.pi) ** 0.5), rel=0.04)
        assert abs(displacement.mean()) < 0.05 * displacement.std()
    correlation = torch.corrcoef(torch.stack([centre.flatten(), near.flatten()]))[0, 1]
    assert correlation == pytest.approx(torch.tensor(-0.25).exp().item(), abs=0.02)


def test_thickness_stays_between_erosion_and_dilation() -> None:
    images = noise(64, 1, 28, 28)
    changed = Thickness(1.0)(images)
    assert (changed <= dilate(images) + 1e-6).all()
    assert (changed >= -dilate(-images) - 1e-6).all()
    thicker = changed.sum((1, 2, 3)) > images.sum((1, 2, 3))
    assert 16 < thicker.sum() < 48


def test_dilation_is_a_maximum_over_3_by_3_pixels() -> None:
    images = noise(4, 2, 9, 13) - 0.5
    assert torch.equal(dilate(images), F.max_pool2d(images, 3, stride=1, padding=1))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 60)])
def test_erasing_fills_one_rectangle_within_its_area(height: int, width: int) -> None:
    erase = Erasing(probability=1, area_min=0.05, area_max=0.2, aspect=3, value=0.5)
    erased = (erase(torch.ones(4096, 1, height, width)) == 0.5)[:, 0]
    rows, columns = erased.any(2), erased.any(1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])
    for marks in (rows, columns):
        ends = F.pad(marks.int(), (1, 1)).diff(dim=1).abs().sum(1)
        assert (ends == 2).all()
        assert marks.any(0).all(), "some rectangle reaches every place, borders included"
    pixels, share = rows.sum(1) * columns.sum(1), height * width
    assert pixels.max() <= 0.2 * share
    assert pixels.max() > 0.18 * share
    assert (pixels + rows.sum(1) > 0.05 * share).all(), "less than one column is rounded off"


def test_erasing_chooses_the_stated_share_of_images() -> None:
    erased = (Erasing(probability=0.25)(torch.ones(4096, 1, 12, 12)) != 1).flatten(1).any(1)
    assert erased.float().mean() == pytest.approx(0.25, abs=0.03)


def test_erasing_refuses_an_empty_range() -> None:
    with pytest.raises(UsageError, match=r"area_min <= area_max, got 0\.3 and 0\.1"):
        Erasing(area_min=0.3, area_max=0.1)


# One resampling for neighbours


@pytest.mark.parametrize(
    "pair",
    [
        (Affine(degrees=40, shift=4, shear=20), Elastic()),
        (Elastic(), Affine(degrees=40, shift=4, shear=20)),
        (Affine(degrees=40, shift=4), Affine(degrees=40, shift=4)),
        (Shift(3), Affine(degrees=40)),
        (Elastic(), Elastic()),
    ],
    ids=lambda pair: "-".join(type(augment).__name__ for augment in pair),
)
def test_fused_equals_one_after_the_other(pair: tuple[Geometric, Geometric]) -> None:
    images = blobs(64)
    torch.manual_seed(0)
    one_by_one = pair[1](pair[0](images))
    difference = (seeded(Compose(pair), images) - one_by_one).abs().amax()
    assert difference < 0.05  # two interpolations against one; the wrong order differs by 0.18 or more


@pytest.mark.parametrize(
    ("augmentations", "expected"),
    [
        ([], 0),
        ([Thickness(), Erasing()], 0),
        ([Affine(), Elastic()], 1),
        ([Shift(), Affine(), Elastic(), Shift()], 1),
        ([Thickness(), Affine(), Elastic(), Erasing(), Shift()], 2),
    ],
    ids=["none", "no-geometry", "affine-elastic", "four", "parted"],
)
def test_neighbours_share_a_resampling(
    augmentations: Sequence[Augmentation], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    grid_sample = F.grid_sample

    def counted(images: Tensor, grid: Tensor, **options: object) -> Tensor:
        nonlocal calls
        calls += 1
        return grid_sample(images, grid, **options)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(F, "grid_sample", counted)
    Compose(augmentations)(noise())
    assert calls == expected


# The files a person chooses from


@pytest.mark.parametrize("name", ["shift", "affine", "elastic", "thickness", "erasing"])
def test_a_file_writes_out_every_knob_with_its_default(name: str) -> None:
    written = yaml.safe_load((CONF / f"{name}.yaml").read_text())[name]
    target = getattr(augmentation, written.pop("_target_").rpartition(".")[2])
    assert written == {key: knob.default for key, knob in inspect.signature(target).parameters.items()}


# ---- mixing


@pytest.mark.parametrize("mixing", MIXINGS, ids=name_of)
def test_the_share_is_what_an_image_has_kept_and_at_least_half(mixing: Mixing) -> None:
    images = torch.arange(64).view(-1, 1, 1, 1).expand(64, 1, 28, 28) / 64  # one brightness each
    mixed, share = mixing.mix(images)
    torch.testing.assert_close(
        mixed.mean(dim=(1, 2, 3)), torch.lerp(images.roll(1, 0), images, share.view(-1, 1, 1, 1))[:, 0, 0, 0]
    )
    assert share.min() >= 0.48  # a rectangle has whole rows and columns
    assert share.std() > 0.1


def test_mixing_changes_the_share_of_images_that_probability_names() -> None:
    for mixing in (Mixup(probability=0.25), Cutmix(probability=0.25)):
        _, share = mixing.mix(noise(2000, 1, 28, 28))
        assert (share < 1).float().mean().item() == pytest.approx(0.25, abs=0.06)  # 6 deviations


def test_cutmix_takes_each_pixel_whole_from_one_of_both() -> None:
    images = noise(64, 1, 28, 28)
    mixed, _ = Cutmix(probability=1.0).mix(images)
    assert ((mixed == images) | (mixed == images.roll(1, 0))).all()
