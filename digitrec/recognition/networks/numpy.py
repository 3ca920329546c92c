"""Networks in .safetensors files that list their layers, computed by numpy without torch."""

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from digitrec.preprocessing.framing import WHITE
from digitrec.recognition.networks.layers import Floats, filled, run
from digitrec.recognition.networks.network import (
    FeatureMaps,
    Images,
    Probabilities,
    as_maps,
    check_images,
    check_output,
    described,
    opening,
)

BATCH = 32  # images whose windows stay in a processor's cache


def lists_layers(path: str | Path) -> bool:
    """Whether a file of weights lists the network's layers; False if it can't be read."""
    try:
        with safe_open(path, framework="np") as content:
            return "layers" in (content.metadata() or {})
    except (OSError, SafetensorError):
        return False


class NumpyNetwork:
    """A network whose weights list their layers.

    Attributes:
        class_names: one per class.
        threshold: confidence threshold, or None.

    Raises:
        CheckpointError: the file can't be read, or is not such a network.
        UsageError: it takes other images than grey ones of 28x28 pixels.
    """

    def __init__(self, path: str | Path) -> None:
        with opening(path, "damaged, or no weights that digitrec wrote"):
            with safe_open(path, framework="np") as content:
                about, layers = (json.loads(content.metadata()[name]) for name in ("digitrec", "layers"))
                tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - not a mapping
            check_images(about["arguments"], path)
            self.class_names, self.threshold, self.quantile = described(about)
            self._mean, self._std = (np.float32(tensors[name].item()) for name in ("mean", "std"))
            self._layers = filled(layers, tensors)
            check_output(self)

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""
        batches = []
        for start in range(0, len(images), BATCH):
            logits = run(self._layers, self._normalised(images[start : start + BATCH]))
            batches.append(_softmax(logits))
        return np.concatenate(batches)

    def feature_maps(self, image: Images) -> list[FeatureMaps]:
        """Image (28, 28), white ink on black -> maps of each convolution; empty without any."""
        found: list[FeatureMaps] = []

        def see(name: str, features: Floats) -> None:
            found.append(as_maps(name, features[0].transpose(2, 0, 1)))

        run(self._layers, self._normalised(image[None]), see)
        return found

    def _normalised(self, images: Images) -> Floats:
        normalised: Floats = ((images - self._mean * WHITE) / (self._std * WHITE))[..., None]
        return normalised


def _softmax(logits: Floats) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Probabilities = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
