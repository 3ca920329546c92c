"""More epochs after those that a training was planned for, with its schedule once more."""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch.optim import Optimizer

from digitrec.models.classifier import DigitClassifier
from digitrec.training.history import epochs_done


class Extension(Callback):
    """Goes on after `max_epochs` with parts of so many epochs, each with the schedule from its start.

    A part begins with the weights that the one before has ended with (their average, if they are averaged) and with
    the optimizer's state, but its settings anew. So a run that is extended when it has ended is, to the last bit, one
    that was planned so. It comes before all callbacks that show or log the rate.
    """

    def __init__(self, epochs: Sequence[int]) -> None:
        self.epochs = list(epochs)
        self._starts: list[int] = []
        self._settings: list[dict[str, Any]] = []
        self._done = 0  # epochs before a checkpoint that a training goes on from

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Note how far the training had come."""
        self._done = epochs_done(checkpoint)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the end, once the schedule of the first part has been made for that part alone."""
        assert isinstance(pl_module, DigitClassifier)
        assert pl_module.recipe is not None
        assert trainer.max_epochs is not None
        self._settings = _settings(pl_module.recipe.optimizer(pl_module))
        self._starts = list(accumulate(self.epochs, initial=trainer.max_epochs))
        trainer.fit_loop.max_epochs = self._starts.pop()
        if self._done in self._starts:  # early stopping, in the last epoch of a part, ends that part alone
            trainer.should_stop = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give a training that was resumed in an added part that part's schedule, where it was."""
        if trainer.current_epoch >= self._starts[0]:
            settings, state = _settings(trainer.optimizers[0]), trainer.lr_scheduler_configs[0].scheduler.state_dict()
            self._schedule(trainer, pl_module)
            _set(trainer.optimizers[0], settings)
            trainer.lr_scheduler_configs[0].scheduler.load_state_dict(state)

    # Not when the epoch starts: then the one before it is saved.
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Begin a part."""
        if batch_idx == 0 and trainer.current_epoch in self._starts:
            for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning adds it at run time
                if isinstance(callback, WeightAveraging) and callback._average_model is not None:
                    callback._copy_average_to_current(pl_module)
            self._schedule(trainer, pl_module)

    def _schedule(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The schedule of the part that an epoch belongs to, from its start."""
        assert isinstance(pl_module, DigitClassifier)
        assert pl_module.recipe is not None
        part = sum(trainer.current_epoch >= start for start in self._starts) - 1
        steps = self.epochs[part] * math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        _set(trainer.optimizers[0], self._settings)
        schedule = pl_module.recipe.scheduler(trainer.optimizers[0], steps)
        trainer.lr_scheduler_configs[0].scheduler = schedule


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Rate, momentum and the like of each group."""
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]


def _set(optimizer: Optimizer, settings: Sequence[dict[str, Any]]) -> None:
    for group, values in zip(optimizer.param_groups, settings, strict=True):
        for name in group.keys() - {"params"}:
            del group[name]
        group.update(values)
