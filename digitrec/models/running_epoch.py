"""Outputs of the current epoch's steps, so that they are counted once, and can go on from a checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class RunningEpoch:
    """Loss (), outputs and labels (B,) of each step of an epoch, kept on the device.

    Outputs are predicted labels (B,), or logits (B, C) where a metric needs probabilities.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []

    def __len__(self) -> int:
        """Number of steps."""
        return len(self._steps)

    def add(self, loss: Tensor, outputs: Tensor, labels: Tensor) -> None:
        """Keep a step."""
        self._steps.append((loss, outputs, labels))

    def recent_loss(self, steps: int) -> Tensor:
        """Mean loss () of the last steps."""
        return torch.stack([loss for loss, _, _ in self._steps[-steps:]]).mean()

    def to(self, device: torch.device) -> None:
        """Move all steps to a device."""
        self._steps = [(loss.to(device), found.to(device), labels.to(device)) for loss, found, labels in self._steps]

    def gathered(self) -> tuple[list[int], Tensor, Tensor, Tensor]:
        """Sizes of the batches, their losses (K,), all outputs (N,) or (N, C), and labels (N,)."""
        losses, outputs, labels = zip(*self._steps, strict=True)
        return [len(part) for part in labels], torch.stack(losses), torch.cat(outputs), torch.cat(labels)

    def clear(self) -> None:
        """Begin a new epoch."""
        self._steps.clear()

    def state_by_rank(self, world_size: int) -> dict[int, Any]:
        """`gathered` of each process of the training, on the CPU; called by all of them."""
        sizes, *tensors = self.gathered()
        own = (sizes, *(tensor.cpu() for tensor in tensors))
        if world_size == 1:
            return {0: own}
        states: list[Any] = [None] * world_size
        torch.distributed.all_gather_object(states, own)
        return dict(enumerate(states))

    def load_state(self, states: Mapping[int, Any], rank: int) -> None:
        """Go on from what `state_by_rank` returned; from nothing if this process has no state there."""
        self.clear()
        if rank in states:
            sizes, losses, outputs, labels = states[rank]
            self._steps = list(zip(losses, outputs.split(sizes), labels.split(sizes), strict=True))
