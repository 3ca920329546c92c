"""Convolutional network."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Len, Lt
from torch import Tensor, nn

from digitrec.models.classifier import DigitClassifier, check_features
from digitrec.models.pooling import MaxPool2d

Positive = Annotated[int, Gt(0)]


class CNN(DigitClassifier):
    """Blocks of convolution, max-pooling and ReLU, then one dense layer with dropout.

    Args:
        filters: feature maps of each block.
        kernel_size: pixels, of all blocks or of each; convolutions are not padded.
        unpooled: how many of the last blocks go without pooling.
        hidden: units of the dense layer.
        dropout: share of dense units silenced in training.
        num_classes, in_channels, image_size: as of `DigitClassifier`.

    Raises:
        ValueError: the image is too small for that many blocks, or there is not one kernel size for each.
    """

    def __init__(
        self,
        filters: Annotated[Sequence[Positive], Len(1)] = (32, 64),
        kernel_size: Positive | Sequence[Positive] = 3,
        unpooled: Annotated[int, Ge(0)] = 0,
        hidden: Positive = 128,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size)
        kernels = [kernel_size] * len(filters) if isinstance(kernel_size, int) else kernel_size
        if len(kernels) != len(filters):
            raise ValueError(f"{len(filters)} blocks need one kernel_size or {len(filters)}, got {kernel_size}")
        blocks: list[nn.Module] = []
        size = image_size
        inputs = [in_channels, *filters[:-1]]
        for block, (channels, width, kernel) in enumerate(zip(inputs, filters, kernels, strict=True)):
            blocks.append(nn.Conv2d(channels, width, kernel))
            size = size - kernel + 1
            check_features(width * size**2)
            if block < len(filters) - unpooled:
                # Before ReLU, which keeps the order of values: the result is the same for a quarter of the work.
                blocks.append(MaxPool2d(2))
                size //= 2
            blocks.append(nn.ReLU())
        if size < 1:
            raise ValueError(
                f"{len(filters)} blocks with kernel_size {kernel_size} need larger images than {image_size} pixels"
            )
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(filters[-1] * size * size, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or float in [0, 1] -> logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(self.normalise(images)))
        return logits
