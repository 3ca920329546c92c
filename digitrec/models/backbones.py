"""Networks known from ImageNet, with torchvision's layers and, if wanted, its weights."""

import re
from abc import abstractmethod
from collections import OrderedDict
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from annotated_types import Ge, Lt
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from digitrec.errors import DigitrecError
from digitrec.models.classifier import DigitClassifier
from digitrec.system.wording import first_line

Parts = tuple[nn.Sequential, list[nn.Module], nn.Linear]

SMALLEST = 8  # pixels: the features are halved at least three times, and something must be left


class Backbone(DigitClassifier):
    """One of torchvision's networks, its first convolution made for small images of any number of channels.

    That convolution has 3x3 pixels and stride 1, and no pooling follows it: at 28 pixels there is nothing to spare.

    Args:
        pretrained: start from torchvision's ImageNet weights, from torch.hub's folder or else the network; only the
            last layer is new. A checkpoint notes false, because it brings its own.
        dropout: share of the units before the last layer silenced in training.
        num_classes, in_channels, image_size: as of `DigitClassifier`; images of at least 8 pixels.

    Raises:
        ValueError: the image is too small.
        DigitrecError: the ImageNet weights can't be had.
    """

    architecture: ClassVar[str]

    def __init__(
        self,
        pretrained: bool = False,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size)
        self.hparams["pretrained"] = False
        if image_size < SMALLEST:
            raise ValueError(f"{type(self).__name__} needs images of at least {SMALLEST} pixels, got {image_size}")
        network = get_model(self.architecture, weights=None)
        if pretrained:
            _load_imagenet(network, self.architecture)
        self.features, hidden, last = self._take_apart(network)
        name, first = next((name, part) for name, part in self.features.named_modules() if isinstance(part, nn.Conv2d))
        stem = nn.Conv2d(in_channels, first.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        if pretrained:
            stem.weight.data.copy_(small_grey_kernels(first.weight.detach(), in_channels))
        self.features.set_submodule(name, stem)
        self.head = nn.Sequential(*hidden, nn.Dropout(dropout), nn.Linear(last.in_features, num_classes))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), uint8 or float in [0, 1] -> logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(self.normalise(images)).mean(dim=(2, 3)))
        return logits

    @staticmethod
    @abstractmethod
    def _take_apart(network: Any) -> Parts:
        """Layers up to the average over the image, without early pooling; those after it; the last one."""


class ResNet18(Backbone):
    """ResNet-18 (He et al., 2016, arXiv:1512.03385)."""

    architecture = "resnet18"

    @staticmethod
    def _take_apart(network: Any) -> Parts:
        names = ("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4")
        return nn.Sequential(OrderedDict((name, network.get_submodule(name)) for name in names)), [], network.fc


class DenseNet121(Backbone):
    """DenseNet-121 (Huang et al., 2017, arXiv:1608.06993)."""

    architecture = "densenet121"

    @staticmethod
    def _take_apart(network: Any) -> Parts:
        del network.features.pool0
        network.features.add_module("relu5", nn.ReLU())  # torchvision has it in its forward
        return network.features, [], network.classifier


class MobileNetV3Small(Backbone):
    """MobileNetV3-Small (Howard et al., 2019, arXiv:1905.02244)."""

    architecture = "mobilenet_v3_small"

    @staticmethod
    def _take_apart(network: Any) -> Parts:
        hidden, activation, _, last = network.classifier
        return network.features, [hidden, activation], last


def small_grey_kernels(kernels: Tensor, in_channels: int) -> Tensor:
    """Kernels (N, 3, K, K) for colour pictures, K odd -> (N, in_channels, 3, 3) for small grey ones.

    The sum over colours is what a grey picture got, shared out evenly over `in_channels`. Of larger kernels each new
    weight is the mean over the area it stands for, scaled so that an even kernel answers an even picture as before:
    the pattern stays and becomes smaller, as the pictures do.
    """
    grey = kernels.sum(dim=1, keepdim=True)
    smaller = F.interpolate(grey, size=(3, 3), mode="area") * (kernels.shape[-1] / 3) ** 2
    return smaller.expand(-1, in_channels, -1, -1) / in_channels


def _load_imagenet(network: nn.Module, architecture: str) -> None:
    weights = get_model_weights(architecture).DEFAULT
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
        # DenseNet's file has the names of an old torchvision, "norm.1" for "norm1".
        network.load_state_dict({re.sub(r"(norm|conv)\.(\d)", r"\1\2", name): part for name, part in state.items()})
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise DigitrecError(
            f"{architecture}: no ImageNet weights ({first_line(error)}); use model.pretrained=false, "
            f"or put {Path(weights.url).name} into {folder}"
        ) from error
