import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from digitrec.data.framing import frame

MNIST = Path(os.environ.get("DIGITREC_DATA_DIR", "nowhere"), "MNIST", "raw", "train-images-idx3-ubyte")
examples = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def inks(draw: st.DrawFn, shortest: int = 1, longest: int = 60) -> Tensor:
    """Random ink whose bounding box fills the tensor, with sides of the same parity."""
    height = draw(st.integers(shortest, longest))
    width = draw(st.integers(shortest, longest).filter(lambda width: (width - height) % 2 == 0))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    ink = torch.randint(0, 256, (height, width), generator=generator, dtype=torch.uint8)
    ink[torch.rand(height, width, generator=generator) < draw(st.floats(0, 0.8))] = 0
    ink[0, 0] = ink[-1, -1] = 255
    return ink


def extent(image: Tensor) -> tuple[int, int]:
    """Height and width of the bounding box of the ink."""
    rows, columns = (image.any(dim).nonzero().flatten() for dim in (1, 0))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def centre(image: Tensor) -> tuple[float, float]:
    """Centre of mass as row and column index."""
    mass, index = image.double(), torch.arange(28).double()
    return float(mass.sum(1) @ index / mass.sum()), float(mass.sum(0) @ index / mass.sum())


def difference(a: Tensor, b: Tensor) -> int:
    return int((a.int() - b.int()).abs().max())


@examples
@given(inks())
def test_the_result_is_an_mnist_like_image(ink: Tensor) -> None:
    image = frame(ink)
    assert image.shape == (28, 28)
    assert image.dtype == torch.uint8
    assert max(extent(image)) <= 20


@examples
@given(inks(), st.tuples(*[st.integers(0, 30)] * 4))
def test_where_the_ink_lies_on_its_paper_does_not_matter(ink: Tensor, margins: tuple[int, ...]) -> None:
    assert torch.equal(frame(torch.nn.functional.pad(ink, margins)), frame(ink))


@examples
@given(inks(shortest=20), st.integers(2, 4))
def test_how_large_the_picture_is_does_not_matter(ink: Tensor, times: int) -> None:
    larger = ink.repeat_interleave(times, 0).repeat_interleave(times, 1)
    assert difference(frame(larger), frame(ink)) <= 1


@examples
@given(inks())
def test_both_axes_are_treated_alike(ink: Tensor) -> None:
    assert difference(frame(ink.T), frame(ink).T) <= 1


@examples
@given(inks(shortest=20, longest=20))
def test_ink_of_the_right_size_is_only_moved_and_never_cut(ink: Tensor) -> None:
    image = frame(ink)
    rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
    assert torch.equal(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], ink)


@pytest.mark.parametrize(("rows", "columns"), [(20, 1), (1, 20), (20, 20), (20, 7), (13, 20)])
def test_the_centre_of_mass_lies_within_half_a_pixel_of_14(rows: int, columns: int) -> None:
    ink = torch.full((rows, columns), 200, dtype=torch.uint8)
    assert all(13.5 <= coordinate <= 14.5 for coordinate in centre(frame(ink)))


def test_ink_heavy_on_one_side_stops_at_the_border() -> None:
    ink = torch.zeros(20, 20, dtype=torch.uint8)
    ink[:, 0] = 255
    ink[19] = 1
    image = frame(ink)
    assert image.sum() == ink.sum()
    assert image[:, 8].sum() == ink[:, 0].sum(), "20 columns cannot begin further right than at index 8"


@pytest.mark.parametrize("side", [1, 2, 8, 16, 19, 20, 21, 100, 1000])
def test_the_longer_side_becomes_20_pixels(side: int) -> None:
    ink = torch.full((side, (side + 1) // 2), 255, dtype=torch.uint8)
    assert extent(frame(ink))[0] == 20


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (28, 28), (500, 3)])
def test_a_picture_without_ink_is_black(shape: tuple[int, int]) -> None:
    assert torch.equal(frame(torch.zeros(shape, dtype=torch.uint8)), torch.zeros(28, 28, dtype=torch.uint8))


def test_ink_too_thin_to_be_seen_is_black() -> None:
    assert not frame(torch.full((6000, 1), 10, dtype=torch.uint8)).any()


@pytest.mark.mnist
def test_mnists_own_digits_stay_as_they_are() -> None:
    from torchvision.datasets.mnist import read_image_file

    digits = read_image_file(str(MNIST))[::10]
    framed = torch.stack([frame(digit) for digit in digits])
    unchanged = (framed == digits).flatten(1).all(1).double().mean()
    assert unchanged >= 0.999, "24 of the 60,000 change, 11 of them by a shift of one pixel"
    assert sum(max(extent(digit)) == 20 for digit in digits) / len(digits) >= 0.999
    centres = torch.tensor([centre(digit) for digit in framed])
    assert ((centres >= 13.5) & (centres <= 14.5)).all(1).double().mean() >= 0.999
