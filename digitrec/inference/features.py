"""What the convolutions of a network find in an image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class FeatureMaps:
    """What one convolution found where.

    Attributes:
        name: of the layer, as in the network's state dict.
        maps: uint8 (F, h, w), one map for each filter: 0 where it found nothing, 255 where the layer found most.
    """

    name: str
    maps: NDArray[np.uint8]


def feature_maps(network: nn.Module, image: NDArray[np.uint8]) -> list[FeatureMaps]:
    """Maps of all convolutions, in the order of their work, after their normalisation, below 0 cut off.

    Args:
        network: images (B, 1, 28, 28) -> logits.
        image: (28, 28), white ink on black.
    """
    found: list[tuple[str, Tensor]] = []

    def convolved(name: str) -> Any:
        return lambda _module, _inputs, output: found.append((name, output[0].clone()))

    def normalised(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        if found:
            found[-1] = (found[-1][0], output[0].clone())

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(convolved(name)))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(normalised))
    try:
        with torch.inference_mode():
            network(torch.from_numpy(image)[None, None])
    finally:
        for hook in hooks:
            hook.remove()
    return [FeatureMaps(name, _bytes(maps)) for name, maps in found]


def _bytes(maps: Tensor) -> NDArray[np.uint8]:
    positive = maps.float().clamp(min=0)
    scaled: NDArray[np.uint8] = (positive * (255 / positive.max().clamp(min=1e-6))).round().to(torch.uint8).numpy()
    return scaled
