"""Any network of torch as a classifier."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor, nn

from digitrec.config.allowed import find_allowed
from digitrec.errors import UsageError
from digitrec.models.classifier import DigitClassifier
from digitrec.system.wording import first_line

OURS = ("digitrec.models.backbones",)
LARGEST = 512  # pixels that an image may be resized to


class Wrapped(DigitClassifier):
    """A module that gives logits (B, num_classes) for images (B, C, H, W) of mean 0 and deviation 1.

    Args:
        network: the module's `_target_`, a class or function, and its arguments. It gets `num_classes`, `in_channels`
            and `image_size` where it has arguments of these names.
        resize: pixels that images are resized to, height and width, for a network made for larger ones; None: as they
            are.
        num_classes, in_channels, image_size: as of `DigitClassifier`.

    Raises:
        UsageError: `_target_` may not be built, or is no module.
        ValueError: the network takes no such images, or gives no such logits.
    """

    def __init__(
        self,
        network: dict[str, Any],
        resize: Annotated[int, Gt(0)] | None = None,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size)
        if resize is not None and resize > LARGEST:
            raise ValueError(f"resize={resize}: expected {LARGEST} pixels at most")
        given = {"num_classes": num_classes, "in_channels": in_channels, "image_size": resize or image_size}
        self.network = _make(network, given)
        self.resize = resize
        if not self.mean.is_meta:  # there a network may fail that works elsewhere
            self._check_logits(image_size)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or float in [0, 1] -> logits (B, num_classes)."""
        images = self.normalise(images)
        if self.resize is not None:
            images = F.interpolate(images, (self.resize, self.resize), mode="bilinear")
        logits: Tensor = self.network(images)
        return logits

    def _check_logits(self, image_size: int) -> None:
        """Give the network one image: what it can't do is better known before training."""
        self.eval()
        expected = (1, len(self.class_names))
        try:
            with torch.no_grad():
                shape = tuple(self(torch.zeros(1, len(self.mean), image_size, image_size)).shape)
        except Exception as error:  # whatever a foreign network may raise
            reason = f"takes no grey images of {self.resize or image_size} pixels ({first_line(error)})"
            advice = "; try model.resize=224" if self.resize is None else ""
            raise ValueError(f"{self.network_name} {reason}{advice}") from error
        if shape != expected:
            raise ValueError(f"{self.network_name} gives {shape} for one image, expected logits {expected}")
        self.train()

    @property
    def network_name(self) -> str:
        """The class of the module."""
        return type(self.network).__name__


def _make(spec: Mapping[str, Any], given: Mapping[str, Any]) -> nn.Module:
    """The module of `_target_` with its arguments, and with those given that it takes."""
    arguments = dict(spec)
    target = str(arguments.pop("_target_", None))
    made_by = find_allowed(target, OURS)
    taken = inspect.signature(made_by).parameters
    network = made_by(**{name: value for name, value in given.items() if name in taken} | arguments)
    if not isinstance(network, nn.Module):
        raise UsageError(f"{target} gives a {type(network).__name__}, expected a torch.nn.Module")
    return network
