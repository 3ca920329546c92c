"""Stops a training whose loss is no longer a number."""

import math
from collections import deque

import torch
from torch import Tensor

from digitrec.errors import DivergedError


class LossWatch:
    """Checks the loss of every step: at once on the CPU, on a GPU as soon as its value has been copied."""

    def __init__(self) -> None:
        self._coming: deque[tuple[torch.cuda.Event, Tensor, str]] = deque()

    def see(self, loss: Tensor, where: str) -> None:
        """Take in the loss () of the step at `where`.

        Raises:
            DivergedError: this loss, or one before that has come over since, is infinite or not a number.
        """
        if loss.device.type != "cuda":
            _check(loss.detach().cpu(), where)
            return
        arrival = torch.cuda.Event()
        self._coming.append((arrival, loss.detach().to("cpu", non_blocking=True), where))
        arrival.record()
        while self._coming and self._coming[0][0].query():
            _check(*self._coming.popleft()[1:])

    def settle(self) -> None:
        """Wait for all losses that are still to come over.

        Raises:
            DivergedError: one is infinite or not a number.
        """
        while self._coming:
            arrival, value, where = self._coming.popleft()
            arrival.synchronize()
            _check(value, where)


def _check(loss: Tensor, where: str) -> None:
    value = float(loss.numpy())  # a view; `item` is what tests count as waiting for a GPU
    if not math.isfinite(value):
        raise DivergedError(f"the loss is {value} in {where}: training has diverged.")
