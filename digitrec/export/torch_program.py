"""A torch.export program: torch runs it without this package, in Python, C++ or compiled ahead of time."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from digitrec.export.check import Reader
from digitrec.export.trained import Probabilities, Trained, example


def write(trained: Trained, file: Path, input_type: str) -> None:
    """Write the program with its metadata.

    Args:
        trained: the network.
        file: to be written.
        input_type: "uint8" for images in 0..255, "float" for float32 in [0, 1].
    """
    module = Probabilities(trained.classifier).eval()
    program = torch.export.export(module, (example(input_type),), dynamic_shapes=({0: torch.export.Dim("N")},))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No complete tensor found")  # of weights elsewhere than on the CPU
        torch.export.save(program, file, extra_files=dict(trained.metadata))


def opened(file: Path, input_type: str) -> Reader:
    """The file as torch reads it: images uint8 (N, 1, 28, 28) -> probabilities (N, C)."""
    module = torch.export.load(file).module()

    def read(images: Tensor) -> Tensor:
        with torch.inference_mode():
            probabilities: Tensor = module(images if input_type == "uint8" else images / 255)
        return probabilities

    return read
