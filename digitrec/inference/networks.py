"""Opens a trained network, whatever file it lies in, as a function of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from digitrec.errors import UsageError
from digitrec.pictures.framing import SIDE

if TYPE_CHECKING:  # torch is imported only where the network needs it
    from digitrec.inference.features import FeatureMaps
    from digitrec.models.classifier import DigitClassifier

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]

BATCH = 250  # images; the features of many more leave a processor's cache
ONNX = ".onnx"


class Network(Protocol):
    """What reads digits.

    Attributes:
        class_names: one per class.
        threshold: certainty below which it saw no digit (`digitrec.inference.doubt`); None if it never learnt to doubt.
    """

    class_names: tuple[str, ...]
    threshold: float | None

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""


@runtime_checkable
class OpenNetwork(Network, Protocol):
    """A network that shows what its layers find."""

    def feature_maps(self, image: Images) -> "list[FeatureMaps]":
        """Image (28, 28), white ink on black -> maps of each convolution; empty without any."""


def open_network(path: str | Path) -> Network:
    """The network of a run folder, a checkpoint, a .safetensors or a .onnx file, for which torch is not needed.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels, or onnxruntime is missing.
    """
    if Path(path).suffix != ONNX:
        return TorchNetwork(path)
    from digitrec.inference.onnx_network import OnnxNetwork

    return OnnxNetwork(path)


def load_reader(path: str | Path) -> "DigitClassifier":
    """A classifier of images like MNIST's, as `load_classifier` restores it.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels.
    """
    from digitrec.models.checkpoint import load_classifier

    classifier = load_classifier(path)
    channels, size = (classifier.hparams.get(name) for name in ("in_channels", "image_size"))
    if (channels, size) != (1, SIDE):
        raise UsageError(f"{path}: takes {channels} channels of {size}x{size} pixels, expected grey ones of 28x28")
    return classifier


class TorchNetwork:
    """A classifier of ours."""

    def __init__(self, path: str | Path) -> None:
        self._model = load_reader(path)
        self.class_names = self._model.class_names
        self.threshold = self._model.threshold

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""
        import torch

        with torch.inference_mode():
            batches = torch.from_numpy(images)[:, None].split(BATCH)
            probabilities: Probabilities = torch.cat([self._model(batch).softmax(dim=1) for batch in batches]).numpy()
        return probabilities

    def feature_maps(self, image: Images) -> "list[FeatureMaps]":
        """Image (28, 28), white ink on black -> maps of each convolution; empty without any."""
        from digitrec.inference.features import feature_maps

        return feature_maps(self._model, image)
