"""network.bin: a network for digitrec/export/web/network.js.

The letters "digitrec", the length of a header as 32 bits, the header in JSON, padded with spaces to a multiple of four
bytes, and the weights in 32 bits; all little-endian. The header has places among the weights instead of tensors.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from digitrec.errors import UsageError
from digitrec.export.check import Reader
from digitrec.export.trained import Trained
from digitrec.models.plain import plain_layers
from digitrec.recognition.networks.layers import Floats, Layer, filled, run
from digitrec.recognition.rejection import FINEST, FLATTEST, MOST_INK

MAGIC = b"digitrec"
FORMAT = 1


def write(trained: Trained, file: Path) -> None:
    """Write the network.

    Raises:
        UsageError: it has layers that the browser's reader lacks.
    """
    weights: list[Floats] = []
    classifier = trained.classifier
    layers = plain_layers(classifier)
    if layers is None:
        raise UsageError(f"--format web takes CNN, MLP and ResidualCNN, not {trained.name}.\nNext: --format onnx")
    tensors = {name: tensor.numpy() for name, tensor in classifier.state_dict().items()}
    header = {
        "format": FORMAT,
        "name": trained.name,
        "about": json.loads(trained.metadata["digitrec"]),
        "card": json.loads(trained.metadata["card"]),
        "limits": {
            "flattest": FLATTEST,
            "most_ink": MOST_INK,
            "finest": FINEST,
            "threshold": classifier.threshold,
        },
        "mean": classifier.mean.item(),
        "std": classifier.std.item(),
        "layers": _placed(filled(layers, tensors), weights),
    }
    text = json.dumps(header).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % 4)
    file.write_bytes(MAGIC + struct.pack("<I", len(text)) + text + np.concatenate(weights).astype("<f4").tobytes())


def opened(file: Path) -> Reader:
    """The file's layers, computed by numpy: images uint8 (N, 1, 28, 28) -> probabilities (N, C)."""
    content = file.read_bytes()
    start = len(MAGIC) + 4
    (length,) = struct.unpack("<I", content[len(MAGIC) : start])
    header = json.loads(content[start : start + length])
    layers = _found(header["layers"], np.frombuffer(content[start + length :], "<f4"))

    def read(images: Tensor) -> Tensor:
        normalised = (images.float() - header["mean"] * 255) / (header["std"] * 255)
        return torch.from_numpy(run(layers, normalised.permute(0, 2, 3, 1).numpy())).softmax(dim=1)

    return read


def _placed(layers: list[Layer], weights: list[Floats]) -> list[Layer]:
    """The same layers with places instead of arrays, which are appended to `weights`."""

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return _placed(value, weights)
        if not isinstance(value, np.ndarray):
            return value
        start = sum(len(array) for array in weights)
        weights.append(value.ravel())
        return {"start": start, "count": value.size}

    return [{name: place(value) for name, value in layer.items()} for layer in layers]


def _found(layers: list[Layer], weights: Floats) -> list[Layer]:
    """The opposite; the weights are flat."""

    def find(value: Any) -> Any:
        if isinstance(value, list):
            return _found(value, weights)
        return weights[value["start"] : value["start"] + value["count"]] if isinstance(value, dict) else value

    return [{name: find(value) for name, value in layer.items()} for layer in layers]
