"""network.bin: a network for digitrec/export/web/network.js.

The letters "digitrec", the length of a header as 32 bits, the header in JSON, padded with spaces to a multiple of four
bytes, and the weights in 32 bits; all little-endian. The header has places among the weights instead of tensors.
"""

import json
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from digitrec.export.check import Reader
from digitrec.export.layers import Layer, run, take_apart
from digitrec.export.trained import Trained
from digitrec.inference.doubt import FINEST, MOST_INK

MAGIC = b"digitrec"
FORMAT = 1


def write(trained: Trained, file: Path) -> None:
    """Write the network.

    Raises:
        UsageError: it has layers that the browser's reader does not know.
    """
    weights: list[Tensor] = []
    classifier = trained.classifier
    header = {
        "format": FORMAT,
        "name": trained.name,
        "about": json.loads(trained.metadata["digitrec"]),
        "card": json.loads(trained.metadata["card"]),
        "limits": {"most_ink": MOST_INK, "finest": FINEST, "threshold": classifier.threshold},
        "mean": classifier.mean.item(),
        "std": classifier.std.item(),
        "layers": _placed(take_apart(classifier), weights),
    }
    text = json.dumps(header).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % 4)
    numbers = torch.cat(weights).numpy().astype("<f4").tobytes()
    file.write_bytes(MAGIC + struct.pack("<I", len(text)) + text + numbers)


def opened(file: Path) -> Reader:
    """The file's layers, computed by torch: images uint8 (N, 1, 28, 28) -> probabilities (N, C)."""
    content = file.read_bytes()
    start = len(MAGIC) + 4
    (length,) = struct.unpack("<I", content[len(MAGIC) : start])
    header = json.loads(content[start : start + length])
    layers = _filled(header["layers"], torch.frombuffer(bytearray(content[start + length :]), dtype=torch.float32))

    def read(images: Tensor) -> Tensor:
        normalised = (images.float() - header["mean"] * 255) / (header["std"] * 255)
        return run(layers, normalised.permute(0, 2, 3, 1)).softmax(dim=1)

    return read


def _placed(layers: list[Layer], weights: list[Tensor]) -> list[Layer]:
    """The same layers with places instead of tensors, which are appended to `weights`."""

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return _placed(value, weights)
        if not isinstance(value, Tensor):
            return value
        start = sum(len(tensor) for tensor in weights)
        weights.append(value.flatten().float())
        return {"start": start, "count": value.numel()}

    return [{name: place(value) for name, value in layer.items()} for layer in layers]


def _filled(layers: list[Layer], weights: Tensor) -> list[Layer]:
    """The opposite."""

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return _filled(value, weights)
        return weights[value["start"] : value["start"] + value["count"]] if isinstance(value, dict) else value

    return [{name: fill(value) for name, value in layer.items()} for layer in layers]
