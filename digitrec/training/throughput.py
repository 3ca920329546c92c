"""How many images a second training takes in."""

import statistics
import time

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class Throughput(Callback):
    """Logs `train/images_per_second` of each epoch, over all processes: validation, test and start-up left out."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self._images = 0
        self._start = 0.0
        self._pause = 0.0

    @property
    def images_per_second(self) -> float | None:
        """Median over epochs; the first, in which kernels are still being chosen, counts only when it is alone."""
        return statistics.median(self.epochs[1:] or self.epochs) if self.epochs else None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of an epoch that goes on in its middle."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._images = 0
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock: validation may come in the middle of an epoch."""
        self._pause = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the clock go on."""
        self._start += time.perf_counter() - self._pause

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Count, and read the clock when the epoch's last batch is done."""
        assert isinstance(batch, tuple | list)
        self._images += len(batch[0])
        if not trainer.is_last_batch:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self.epochs.append(self._images * trainer.world_size / (time.perf_counter() - self._start))
        pl_module.log("train/images_per_second", self.epochs[-1], on_step=False, on_epoch=True)
