"""Multilayer perceptron."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from digitrec.models.classifier import DigitClassifier, check_features


class MLP(DigitClassifier):
    """Dense layers with ReLU and dropout on the flattened image.

    Args:
        hidden: units of each dense layer; none makes the model linear.
        dropout: share of units silenced after each hidden layer in training.
        num_classes, in_channels, image_size: as of `DigitClassifier`.
    """

    def __init__(
        self,
        hidden: Sequence[Annotated[int, Gt(0)]] = (128, 64),
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size)
        widths = [in_channels * image_size**2, *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, units in pairwise(widths):
            check_features(units)
            layers += [nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(dropout)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(widths[-1], num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or float in [0, 1] -> logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(self.normalise(images)))
        return logits
