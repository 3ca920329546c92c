"""What the convolutions of a network find in an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureMaps:
    """What one convolution found where.

    Attributes:
        name: of the layer, as in the network's state dict.
        maps: uint8 (F, h, w), one map for each filter: 0 where it found nothing, 255 where the layer found most.
    """

    name: str
    maps: NDArray[np.uint8]


def as_maps(name: str, features: NDArray[np.float32]) -> FeatureMaps:
    """Features (F, h, w) as maps: what is below 0 is cut off."""
    positive = features.clip(0)
    return FeatureMaps(name, np.rint(positive * (255 / max(float(positive.max()), 1e-6))).astype(np.uint8))
