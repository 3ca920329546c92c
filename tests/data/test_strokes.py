from collections.abc import Sequence

import pytest
import torch

from digitrec.data.synthetic.strokes import MOST_STROKES, NAMES, Hand, Strokes, write
from digitrec.data.synthetic.styles import STYLES
from digitrec.errors import UsageError

STEADY = Hand(0, 0, 0, 0, 0, 0, 0, 0, 0)
each = pytest.mark.parametrize("name", NAMES)


def written(labels: Sequence[int] = range(10), seed: int = 0, resolution: int = 40) -> Strokes:
    return write(torch.tensor(labels), torch.Generator().manual_seed(seed), resolution=resolution)


def in_style(name: str, count: int = 20, hand: Hand | None = None) -> Strokes:
    labels = torch.full((count,), STYLES[name].label)
    return write(labels, torch.Generator().manual_seed(1), styles=[name], hand=hand)


def test_every_digit_has_several_styles() -> None:
    counts = torch.tensor([style.label for style in STYLES.values()]).bincount(minlength=10)
    assert counts.min() >= 6
    assert len(counts) == 10


@each
def test_a_style_is_named_after_its_digit_and_fills_the_height_of_a_square(name: str) -> None:
    style = STYLES[name]
    points = torch.cat([stroke.points for stroke in style.strokes])
    assert name.startswith(f"{style.label}-")
    assert points.min() >= -0.1
    assert points.max() <= 1.05
    assert points[:, 1].max() - points[:, 1].min() >= 0.93


@each
def test_every_style_is_written_as_asked(name: str) -> None:
    strokes = in_style(name)
    assert strokes.points.shape == (20, MOST_STROKES, 40, 2)
    assert [NAMES[index] for index in strokes.styles] == [name] * 20
    present = (strokes.pressure > 0).all(2).sum(1)
    assert present.eq(len(STYLES[name].strokes)).all()
    assert ((strokes.pressure == 0) | ((strokes.pressure >= 0.4) & (strokes.pressure <= 1.6))).all()
    assert strokes.points.isfinite().all()


@each
def test_a_steady_hand_passes_every_point_of_the_form(name: str) -> None:
    style = STYLES[name]
    strokes = in_style(name, count=1, hand=STEADY)
    for stroke, points in zip(style.strokes, strokes.points[0], strict=False):
        assert torch.cdist(stroke.points, points).amin(1).max() < 0.1, "corners are rounded off"


def test_what_is_written_is_a_function_of_labels_and_seed() -> None:
    again = zip(written(seed=3), written(seed=3), strict=True)
    assert all(torch.equal(first, second) for first, second in again)
    assert not torch.equal(written(seed=3).points, written(seed=4).points)


def test_no_two_digits_of_a_style_are_alike() -> None:
    points = in_style("8-s_loop").points.flatten(1)
    distances = torch.cdist(points, points) + torch.eye(20) * 99
    assert distances.min() > 0.1


def test_the_resolution_changes_how_finely_a_digit_is_written_and_not_what() -> None:
    coarse, fine = written(resolution=40), written(resolution=400)
    assert torch.equal(coarse.styles, fine.styles)
    apart = torch.cdist(coarse.points, fine.points).amin(3)[coarse.pressure > 0]
    assert apart.max() < 0.02


def test_styles_are_drawn_by_their_shares() -> None:
    strokes = write(torch.full((4000,), 0), torch.Generator().manual_seed(0), styles=["0-plain", "0-square"])
    square = (strokes.styles == NAMES.index("0-square")).double().mean()
    assert abs(square - 0.4 / 1.4) < 0.03, "four standard deviations"


def test_wishes_that_cannot_be_met_are_refused() -> None:
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(UsageError, match=r"no style '7-wavy'; there are 0-plain"):
        write(torch.tensor([7]), generator, styles=["7-wavy"])
    with pytest.raises(UsageError, match="for some of the labels"):
        write(torch.tensor([7, 1]), generator, styles=["7-plain"])
