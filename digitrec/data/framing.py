"""MNIST's framing, of tensors."""

import torch
from torch import Tensor

from digitrec.preprocessing import framing


def frame(ink: Tensor) -> Tensor:
    """Frame ink as `digitrec.preprocessing.framing.frame` does: uint8 (H, W) on the CPU -> uint8 (28, 28)."""
    return torch.from_numpy(framing.frame(ink.numpy()))
