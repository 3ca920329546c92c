"""Test-time augmentation: average the probabilities of several versions of each image."""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from digitrec.data.augmentation import affine_warp, resample


class TestTimeAugmentation:
    """Images as they are, moved a little up, down, left and right, and turned a little to both sides.

    Nothing is random. `shift` is in pixels, `degrees` the angle of the turns; 0 leaves these versions out. The length
    is the number of versions: 7, 5, 3 or 1.
    """

    def __init__(self, shift: Annotated[float, Ge(0)] = 1.0, degrees: Annotated[float, Ge(0), Le(180)] = 5.0) -> None:
        self.shift = shift
        self.degrees = degrees
        ways = [(0.0, 0.0, -shift), (0.0, 0.0, shift), (0.0, -shift, 0.0), (0.0, shift, 0.0)] if shift else []
        turns = [(degrees, 0.0, 0.0), (-degrees, 0.0, 0.0)] if degrees else []
        self._moves = [*ways, *turns]

    def __len__(self) -> int:
        """Versions of each image, the image itself included."""
        return 1 + len(self._moves)

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Images (B, C, H, W), uint8 or float in [0, 1] -> `len(self)` batches in [0, 1] of the same shape.

        In order: as they are; moved up, down, left, right; turned counter-clockwise, clockwise.
        """
        images = images.float() / 255 if images.dtype == torch.uint8 else images
        return [images, *(self._moved(images, *move) for move in self._moves)]

    def _moved(self, images: Tensor, degrees: float, dx: float, dy: float) -> Tensor:
        """Images turned by one angle and moved one way, in one resampling."""
        values = torch.tensor([degrees, dx, dy, 1.0, 0.0], device=images.device).view(5, 1, 1, 1)
        angle, right, down, scale, shear = values
        return resample(images, affine_warp(angle, right, down, scale, shear))


Views = TestTimeAugmentation  # the name in configurations of earlier versions
