import io

import numpy as np
import torch
from matplotlib import pyplot
from PIL import Image

from digitrec.evaluation.figures import GAP, LABEL_WIDTH, augmentation_grid

DPI, DOTS = 200, 6  # of the saved picture; dots for each pixel of 8 digits, 28 pixels wide


def test_rows_are_labelled_in_order() -> None:
    images = torch.rand(8, 1, 28, 28)
    (axes,) = augmentation_grid(images, {"shift": images, "affine": images}, first="as written").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["as written", "shift", "affine"]


def test_digits_lie_at_their_places_pixel_by_pixel() -> None:
    images, changed = torch.zeros(2, 8, 1, 28, 28)
    changed[2, 0, 5, 7] = 1
    buffer = io.BytesIO()
    augmentation_grid(images, {"dot": changed}).savefig(buffer, format="png")
    picture = np.asarray(Image.open(buffer).convert("L"))

    pitch = 28 + GAP
    mosaic = np.full((2 * pitch + GAP, 8 * pitch), 255)
    for row in (0, 1):
        for column in range(8):
            top, left = row * pitch + GAP, column * pitch
            mosaic[top : top + 28, left : left + 28] = 0
    mosaic[pitch + GAP + 5, 2 * pitch + 7] = 255
    shown = picture[DOTS // 2 :: DOTS, round(LABEL_WIDTH * DPI) + DOTS // 2 :: DOTS]
    np.testing.assert_array_equal(shown, mosaic)


def test_any_number_of_digits_of_any_size_and_type_fits() -> None:
    images = torch.rand(3, 1, 8, 12, dtype=torch.bfloat16, requires_grad=True)
    augmentation_grid(images, {}).savefig(io.BytesIO(), format="png")


def test_pyplot_keeps_no_figure() -> None:
    augmentation_grid(torch.rand(2, 1, 8, 8), {})
    assert pyplot.get_fignums() == []
