"""The laps of a Lightning trainer."""

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from scripts.measure.benchmark.laps import Laps


class Clock(Callback):
    """Times epochs: from one epoch's start to the next one's, whatever happens in between."""

    def __init__(self, laps: Laps) -> None:
        self._laps = laps

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a lap."""
        self._laps.begin()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the last one."""
        self._laps.end()
