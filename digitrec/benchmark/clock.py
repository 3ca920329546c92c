"""How long whole epochs take."""

import time

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class Clock(Callback):
    """Reads the time when an epoch starts and when training ends: whatever happens in between is counted."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def rates(self, images: int) -> list[float]:
        """Images a second of each epoch of `images`, the first epoch left out: kernels are chosen in it."""
        return [images / (end - start) for start, end in zip(self._times[1:-1], self._times[2:], strict=True)]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read."""
        self._times.append(time.perf_counter())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read."""
        self._times.append(time.perf_counter())
