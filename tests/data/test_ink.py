import pytest
import torch
from torch import Tensor

from digitrec.data.synthetic.ink import draw, paint, pens, widest
from digitrec.data.synthetic.strokes import NAMES, Strokes, write
from digitrec.data.synthetic.styles import STYLES


def every_style(count: int = 4, seed: int = 0) -> Strokes:
    generator = torch.Generator().manual_seed(seed)
    parts = [write(torch.full((count,), STYLES[name].label), generator, styles=[name], resolution=40) for name in NAMES]
    return Strokes(*(torch.cat(values) for values in zip(*parts, strict=True)))


def images(seed: int = 0) -> Tensor:
    strokes = every_style(seed=seed)
    return draw(strokes, pens(strokes, torch.Generator().manual_seed(seed)))


def line(length: float = 0.8) -> Strokes:
    """One straight upright stroke, evenly pressed."""
    points = torch.stack([torch.full((40,), 0.3), torch.linspace(0, length, 40)], dim=-1)
    return Strokes(points[None, None], torch.ones(1, 1, 40), torch.zeros(1, dtype=torch.int64))


def test_images_are_framed_as_mnists_are() -> None:
    digits = images()[:, 0]
    assert digits.dtype == torch.uint8
    assert digits.shape == (4 * len(NAMES), 28, 28)
    rows, columns = digits.amax(2) > 0, digits.amax(1) > 0
    extents = torch.stack([_extent(rows), _extent(columns)], dim=1)
    assert (extents.amax(1) == 20).all()
    index = torch.arange(28).double()
    mass = digits.double() / digits.double().sum((1, 2), keepdim=True)
    centres = torch.stack([mass.sum(2) @ index, mass.sum(1) @ index], dim=1)
    assert ((centres >= 13.2) & (centres <= 14.5)).all(), "a heavy side stops at the border"


def _extent(inked: Tensor) -> Tensor:
    index = torch.arange(28)
    return torch.where(inked, index, -1).amax(1) - torch.where(inked, index, 99).amin(1) + 1


def test_images_are_a_function_of_strokes_and_pen() -> None:
    assert torch.equal(images(), images())
    assert (images() != images(seed=1)).flatten(1).any(1).all()


def test_an_image_does_not_depend_on_the_others_drawn_with_it() -> None:
    strokes = every_style()
    pen = torch.linspace(1, 4, len(strokes.points))
    alone = draw(Strokes(*(values[9:10] for values in strokes)), pen[9:10])
    assert torch.equal(alone[0], draw(strokes, pen)[9])


@pytest.mark.parametrize("width", [0.7, 1.0, 2.0, 3.0, 5.0])
def test_a_straight_stroke_has_the_width_and_the_length_asked_for(width: float) -> None:
    image = draw(line(), torch.tensor([width]))[0, 0].double() / 255
    assert image[13:16].sum(1).mean().item() == pytest.approx(width, abs=0.15)
    assert image.sum().item() == pytest.approx(20 * width - (1 - torch.pi / 4) * width**2, rel=0.08)


def test_more_pen_is_more_ink() -> None:
    strokes = every_style(count=1)
    ink = [draw(strokes, torch.full((len(NAMES),), width)).double().sum((1, 2, 3)) for width in (1.0, 2.0, 3.0)]
    assert (ink[0] < ink[1]).all()
    assert (ink[1] < ink[2]).all()


def test_most_pens_are_like_mnists_and_none_is_too_wide_for_its_digit() -> None:
    strokes = write(torch.arange(3000) % 10, torch.Generator().manual_seed(0))
    widths = pens(strokes, torch.Generator().manual_seed(1))
    assert ((widths > 1.7) & (widths < 3.8)).double().mean() > 0.6
    assert (widths < 1.2).double().mean() > 0.05
    assert (widths > 3.8).double().mean() > 0.03
    assert (widths <= widest(strokes)).all()


def test_a_painted_stroke_lies_where_it_was_asked_for() -> None:
    points = torch.tensor([[[100.0, 50.0], [100.0, 250.0]]])
    canvas = paint(points, torch.tensor([[10.0, 10.0]]), (200, 300))
    assert canvas.mode == "L"
    assert canvas.size == (200, 300)
    assert canvas.getbbox() == pytest.approx((95, 45, 105, 255), abs=1)


@pytest.mark.parametrize("side", [20, 300, 4000])
def test_a_digit_is_painted_on_a_canvas_of_any_size(side: int) -> None:
    strokes = write(torch.tensor([8]), torch.Generator().manual_seed(0), resolution=max(40, side // 4))
    points = strokes.points[0] * side * 0.6 + side * 0.2
    canvas = paint(points, strokes.pressure[0] * side / 20, (side, side))
    left, top, right, bottom = canvas.getbbox() or (0, 0, 0, 0)
    assert bottom - top > 0.5 * side
    assert right - left > 0.2 * side
