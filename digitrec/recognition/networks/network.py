"""A trained network as a function of images, and the checks that a file of unknown origin has to pass."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from digitrec.data.labels import checked_class_names
from digitrec.errors import CheckpointError, UsageError
from digitrec.preprocessing.framing import SIDE
from digitrec.system.wording import first_line
from digitrec.weights import confidence_threshold, conformal_quantile

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureMaps:
    """The feature maps of one convolution.

    Attributes:
        name: of the layer, as in the network's state dict.
        maps: uint8 (F, h, w), one map for each filter; 255 is the layer's greatest value.
    """

    name: str
    maps: NDArray[np.uint8]


class Network(Protocol):
    """A network that reads digits.

    Attributes:
        class_names: one per class.
        threshold: confidence threshold (`digitrec.recognition.rejection`); None rejects nothing by confidence.
        quantile: greatest 1 - p of a class in a prediction set; None without such sets.
    """

    class_names: tuple[str, ...]
    threshold: float | None
    quantile: float | None

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""

    def feature_maps(self, image: Images) -> list[FeatureMaps]:
        """Image (28, 28), white ink on black -> maps of each convolution; empty if the network can't show any."""


def as_maps(name: str, features: NDArray[np.float32]) -> FeatureMaps:
    """Features (F, h, w) as maps: values below 0 are cut off."""
    positive = features.clip(0)
    return FeatureMaps(name, np.rint(positive * (255 / max(float(positive.max()), 1e-6))).astype(np.uint8))


@contextmanager
def opening(path: str | Path, otherwise: str) -> Iterator[None]:
    """Turn the errors of reading a file into a CheckpointError of one line that names the difference."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # a damaged file can make any library raise anything
        reason = first_line(error) or type(error).__name__
        raise CheckpointError(f"{path}: {otherwise}: {reason:.200}") from error


def check_images(arguments: Mapping[str, Any], path: str | Path) -> None:
    """Check the arguments that a network was built with.

    Raises:
        UsageError: it takes other images than grey ones of 28x28 pixels.
    """
    channels, size = (arguments.get(name) for name in ("in_channels", "image_size"))
    if (channels, size) != (1, SIDE):
        raise UsageError(
            f"{path}: takes {channels} channels of {size}x{size} pixels, expected grey ones of {SIDE}x{SIDE}"
        )


def described(about: Mapping[str, Any]) -> tuple[tuple[str, ...], float | None, float | None]:
    """Names of the classes, confidence threshold and conformal quantile in a file's description of its network.

    Raises:
        ValueError: one of them is invalid.
    """
    return checked_class_names(about["class_names"]), confidence_threshold(about), conformal_quantile(about)


def check_output(network: Network) -> None:
    """Check a network's output for two images.

    Raises:
        ValueError: it is not the probabilities of the network's classes.
    """
    with np.errstate(all="ignore"):
        output = network(np.zeros((2, SIDE, SIDE), np.uint8))
    expected = (2, len(network.class_names))
    if output.shape != expected:
        raise ValueError(f"its output for two images has the shape {output.shape}, expected {expected}")
    if not (output >= 0).all() or not np.allclose(output.sum(axis=1), 1, atol=1e-3):
        raise ValueError("its outputs are no probabilities")
