"""A trained network to export, with its description."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import description, read_content
from digitrec.models.classifier import DigitClassifier
from digitrec.preprocessing.framing import SIDE
from digitrec.recognition.networks.network import check_images
from digitrec.weights import find_checkpoint


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        classifier: in evaluation mode, on the CPU.
        metadata: `digitrec`, what names the network and its classes, and `card`, facts for people; JSON both.
    """

    classifier: DigitClassifier
    metadata: dict[str, str]

    @property
    def name(self) -> str:
        """The network's kind, such as CNN."""
        return self.classifier.network_name

    @property
    def data(self) -> tuple[str, str | None] | None:
        """Name and folder of the data set that it was trained on, if they are known."""
        data = self.classifier.settings.get("data") or {}
        name = data.get("dataset") or json.loads(self.metadata["card"]).get("data")
        return None if name is None else (str(name), data.get("root"))


def example(input_type: str) -> Tensor:
    """Two black images (2, 1, 28, 28) of the type that an exported network takes: "uint8", or "float" for float32."""
    return torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8 if input_type == "uint8" else torch.float32)


class Probabilities(nn.Module):
    """A classifier with its softmax: images (N, 1, 28, 28), uint8 or float in [0, 1] -> probabilities (N, C)."""

    def __init__(self, classifier: DigitClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) -> (N, C)."""
        probabilities: Tensor = self.classifier(images).softmax(dim=1)
        return probabilities


def open_trained(path: str | Path) -> Trained:
    """A network with its description, from a run folder, a .ckpt or a .safetensors file.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels, or was exported already.
    """
    file = find_checkpoint(path)
    classifier, content = load_classifier(file), read_content(file)
    check_images(classifier.hparams, path)
    return Trained(classifier, description(content["digitrec"], content.get("card", {})))
