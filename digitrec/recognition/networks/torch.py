"""Networks of runs and checkpoints, computed by torch."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from digitrec.models.checkpoint import load_classifier
from digitrec.recognition.networks.network import FeatureMaps, Images, Probabilities, as_maps, check_images
from digitrec.weights import BATCH


class TorchNetwork:
    """A classifier of a checkpoint.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels.
    """

    def __init__(self, path: str | Path) -> None:
        self._model = load_classifier(path)
        check_images(self._model.hparams, path)
        self.class_names = self._model.class_names
        self.threshold = self._model.threshold
        self.quantile = self._model.quantile

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""
        with torch.inference_mode():
            batches = []
            for batch in torch.from_numpy(images)[:, None].split(BATCH):
                logits = self._model(batch)
                batches.append(logits.softmax(dim=1))
            probabilities: Probabilities = torch.cat(batches).numpy()
        return probabilities

    def feature_maps(self, image: Images) -> list[FeatureMaps]:
        """Image (28, 28), white ink on black -> maps of each convolution; empty without any."""
        return feature_maps(self._model, image)


def feature_maps(network: nn.Module, image: Images) -> list[FeatureMaps]:
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
    return [as_maps(name, maps.float().numpy()) for name, maps in found]
