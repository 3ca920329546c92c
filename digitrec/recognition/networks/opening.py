"""Opens a trained network, whatever file it lies in, as a function of images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from digitrec.errors import UsageError
from digitrec.preprocessing.framing import SIDE
from digitrec.recognition.features import FeatureMaps
from digitrec.weights import SUFFIX, file_of

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]

BATCH = 250  # images; the features of many more leave a processor's cache
ONNX = ".onnx"


class Network(Protocol):
    """What reads digits.

    Attributes:
        class_names: one per class.
        threshold: certainty below which an image is rejected (`digitrec.recognition.rejection`); None: it never is.
    """

    class_names: tuple[str, ...]
    threshold: float | None

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""


@runtime_checkable
class OpenNetwork(Network, Protocol):
    """A network that shows what its layers find."""

    def feature_maps(self, image: Images) -> list[FeatureMaps]:
        """Image (28, 28), white ink on black -> maps of each convolution; empty without any."""


def open_network(path: str | Path) -> Network:
    """The network of a run folder, a checkpoint, a .safetensors or a .onnx file.

    Torch, which takes seconds to import, is left alone by .onnx files and by such weights as list their layers.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels, or onnxruntime is missing.
    """
    path = file_of(path)
    suffix = path.suffix
    if suffix == ONNX:
        from digitrec.recognition.networks.onnx import OnnxNetwork

        return OnnxNetwork(path)
    if suffix == SUFFIX:
        from digitrec.recognition.networks.numpy import PlainNetwork, lists_layers

        if lists_layers(path):
            return PlainNetwork(path)
    from digitrec.recognition.networks.torch import TorchNetwork

    return TorchNetwork(path)


def check_images(arguments: Mapping[str, Any], path: str | Path) -> None:
    """Look at the arguments that a network was built with.

    Raises:
        UsageError: it takes other images than grey ones of 28x28 pixels.
    """
    channels, size = (arguments.get(name) for name in ("in_channels", "image_size"))
    if (channels, size) != (1, SIDE):
        raise UsageError(f"{path}: takes {channels} channels of {size}x{size} pixels, expected grey ones of 28x28")


def described(about: Mapping[str, Any]) -> tuple[tuple[str, ...], float | None]:
    """Names of the classes and the threshold, as a file of unknown origin has them.

    Raises:
        ValueError: they are none.
    """
    names, threshold = about["class_names"], about.get("threshold")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise ValueError("its classes have no names, expected two or more")
    if not (threshold is None or (isinstance(threshold, float) and 0 <= threshold <= 1)):
        raise ValueError(f"its threshold is {threshold!r}, expected a number from 0 to 1")
    return tuple(names), threshold


def check_answer(network: Network) -> None:
    """Ask a network of unknown origin about two images.

    Raises:
        ValueError: what it says are no probabilities of its classes.
    """
    with np.errstate(all="ignore"):
        answer = network(np.zeros((2, SIDE, SIDE), np.uint8))
    expected = (2, len(network.class_names))
    if answer.shape != expected:
        raise ValueError(f"its answer to two images has the shape {answer.shape}, expected {expected}")
    if not (answer >= 0).all() or not np.allclose(answer.sum(axis=1), 1, atol=1e-3):
        raise ValueError("its answers are no probabilities")
