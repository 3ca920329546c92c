"""Opens a trained network, whatever file it lies in, as a function of images."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from digitrec.errors import UsageError

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]

BATCH = 250  # images; the features of many more leave a processor's cache


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


def open_network(path: str | Path) -> Network:
    """The network of a run folder, a checkpoint or a .safetensors file.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels.
    """
    return TorchNetwork(path)


class TorchNetwork:
    """A classifier of ours."""

    def __init__(self, path: str | Path) -> None:
        from digitrec.models.checkpoint import load_classifier

        self._model = load_classifier(path)
        self.class_names = self._model.class_names
        self.threshold = self._model.threshold
        channels, size = (self._model.hparams.get(name) for name in ("in_channels", "image_size"))
        if (channels, size) != (1, 28):
            raise UsageError(f"{path}: takes {channels} channels of {size}x{size} pixels, expected grey ones of 28x28")

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""
        import torch

        with torch.inference_mode():
            batches = torch.from_numpy(images)[:, None].split(BATCH)
            probabilities: Probabilities = torch.cat([self._model(batch).softmax(dim=1) for batch in batches]).numpy()
        return probabilities
