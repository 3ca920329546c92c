"""What pictures are made of here: planes of numbers, one for each pixel, and how they change their size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]  # (H, W)
Colours = NDArray[np.float32]  # (H, W, 3)
Mask = NDArray[np.bool_]  # (H, W)

NEIGHBOURS = np.ones((3, 3), bool)  # of a pixel: all eight, and itself
BOX, NEAREST, BILINEAR, BICUBIC = (Image.Resampling[name] for name in ("BOX", "NEAREST", "BILINEAR", "BICUBIC"))


def resized(plane: Plane, size: tuple[int, int], how: Image.Resampling) -> Plane:
    """A plane in another size (width, height)."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, how), dtype=np.float32)


def resized_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask in another size (width, height), by the nearest pixels."""
    return resized(mask.astype(np.float32), size, NEAREST) > 0


def scaled(shape: Sequence[int], scale: float) -> tuple[int, int]:
    """Width and height, a pixel at least, that a plane of a shape (H, W, ...) has at a scale."""
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def fitted(shape: Sequence[int], longest: float) -> tuple[int, int]:
    """Width and height that bring the longer side of a plane of a shape (H, W, ...) down to so many pixels."""
    return scaled(shape, min(1.0, longest / max(shape[:2])))
