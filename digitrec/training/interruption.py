"""Ctrl-C and other requests to stop, granted between two steps, after a checkpoint."""

import signal
import threading
import time
from types import FrameType
from typing import Any, NoReturn

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from digitrec.system.signals import install_handlers, restore_handlers
from digitrec.training.checkpoints import EpochCheckpoint

SYNC_EVERY = 10  # optimizer steps between two exchanges of the processes of a training, which make them wait
REPEAT = 2.0  # seconds; a signal to a whole group of processes often reaches each of them twice


class Interruption(Checkpoint):
    """Notes a signal while training, and acts on it where a checkpoint can be saved.

    That is after a step, or when the epoch and its validation are over; a second one, two seconds later, stops at
    once. As a kind of checkpoint it is called after all other callbacks: what it saves has their share of the step in
    it.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._received = 0.0
        self._previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals that end the program."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._previous = install_handlers(self._note)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Save and stop, unless gradients are still being gathered or the end of the epoch comes next."""
        gathering = (batch_idx + 1) % trainer.accumulate_grad_batches
        at_end = trainer.is_last_batch or trainer.global_step == trainer.max_steps
        together = trainer.world_size == 1 or trainer.global_step % SYNC_EVERY == 0
        if not gathering and not at_end and together and self._asked(trainer):
            trainer._logger_connector.update_train_step_metrics()  # this step's points, written only after this hook
            self._save_and_stop(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save and stop between epochs."""
        if self._asked(trainer):
            self._save_and_stop(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save and stop after the last epoch; else give the signals back."""
        if self._asked(trainer):
            self._save_and_stop(trainer)
        self._give_back()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._number is None:
            self._number, self._received = number, time.monotonic()
        elif time.monotonic() - self._received > REPEAT:
            self._give_back()
            self._stop()

    def _asked(self, trainer: Trainer) -> bool:
        """Whether any process of the training has got a signal."""
        if trainer.world_size == 1:
            return self._number is not None
        return trainer.strategy.reduce_boolean_decision(self._number is not None, all=False)

    def _save_and_stop(self, trainer: Trainer) -> NoReturn:
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, EpochCheckpoint) and callback.monitor is None:
                callback.save(trainer)
        self._stop()

    def _stop(self) -> NoReturn:
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + (self._number or signal.SIGTERM))  # in another process of the training

    def _give_back(self) -> None:
        restore_handlers(self._previous)
        self._previous = {}
