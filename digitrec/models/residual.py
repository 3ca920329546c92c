"""Residual network."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Len, Lt
from torch import Tensor, nn

from digitrec.models.classifier import DigitClassifier, check_features
from digitrec.models.pooling import MaxPool2d

Positive = Annotated[int, Gt(0)]
MOST_BLOCKS = 1000


class ResidualCNN(DigitClassifier):
    """Convolutions at full size, stages of residual blocks, one dense layer (He et al., 2016).

    The first stage works at half the image's height and width, each further one at half of the one before.

    Args:
        stem: feature maps of each convolution at full size.
        filters: feature maps of each stage.
        blocks: residual blocks of each stage.
        average: the dense layer gets each feature map's average, as in the paper; otherwise each of its places.
        dropout: share of the dense layer's inputs silenced in training.
        num_classes, in_channels, image_size: as of `DigitClassifier`.

    Raises:
        ValueError: the image is too small for that many stages, there is not one number of blocks for each, or there
            are too many.
    """

    def __init__(
        self,
        stem: Annotated[Sequence[Positive], Len(1)] = (32,),
        filters: Annotated[Sequence[Positive], Len(1)] = (64, 128),
        blocks: Annotated[Sequence[Positive], Len(1)] = (1, 2),
        average: bool = True,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size)
        if len(blocks) != len(filters):
            raise ValueError(f"{len(filters)} stages need {len(filters)} numbers of blocks, got {list(blocks)}")
        if sum(blocks) > MOST_BLOCKS:
            raise ValueError(f"blocks={list(blocks)}: expected {MOST_BLOCKS:,} residual blocks at most")
        if image_size < 2 ** len(filters):
            raise ValueError(f"{len(filters)} stages need images of at least {2 ** len(filters)} pixels")
        check_features(max(stem) * image_size**2)
        check_features(max(filters) * image_size**2 // 4)
        layers: list[nn.Module] = []
        for channels, width in pairwise([in_channels, *stem]):
            layers += [*_convolution(channels, width, 3), nn.ReLU()]
        layers.insert(-1, MaxPool2d(2))  # before the ReLU it gives the same for a quarter of the work
        for stage, ((channels, width), count) in enumerate(zip(pairwise([stem[-1], *filters]), blocks, strict=True)):
            layers += [ResidualBlock(channels, width, stride=2 if stage else 1)]
            layers += [ResidualBlock(width, width) for _ in range(count - 1)]
        self.features = nn.Sequential(*layers)
        self.average = average
        side = -(-(image_size // 2) // 2 ** (len(filters) - 1))  # a stage of odd size is halved upwards
        places = 1 if average else side**2
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(filters[-1] * places, num_classes))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or float in [0, 1] -> logits (B, num_classes)."""
        features = self.features(self.normalise(images))
        logits: Tensor = self.head(features.mean(dim=(2, 3)) if self.average else features.flatten(1))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around which the input is added; a wider or smaller output projects it with a 1x1 one.

    Args:
        in_channels: feature maps of the input.
        out_channels: feature maps of the output.
        stride: by how much height and width shrink.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(in_channels, out_channels, 3, stride), nn.ReLU(), *_convolution(out_channels, out_channels, 3)
        )
        same = in_channels == out_channels and stride == 1
        # Averaged before it is projected: a strided 1x1 convolution would not see three pixels out of four.
        smaller = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
        self.shortcut = nn.Identity() if same else nn.Sequential(smaller, *_convolution(in_channels, out_channels, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H / stride, W / stride), rounded up."""
        return F.relu(self.residual(images) + self.shortcut(images))


def _convolution(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    """A padded convolution and its normalisation, which makes a bias redundant."""
    padding = kernel_size // 2
    return [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False),
        nn.BatchNorm2d(out_channels),
    ]
