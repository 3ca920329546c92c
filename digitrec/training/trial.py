"""A training that is one of a search's."""

from collections.abc import Callable, Mapping
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class Search:
    """The search that this process trains for; without one, nobody is told anything.

    Attributes:
        ask: epoch counted from 1, metric, whether it is the last one -> whether to go on.
    """

    ask: Callable[[int, float, bool], bool] | None = None


class TrialCurve(Callback):
    """Tells a search the validation metric of each epoch, and ends the training early where it says so.

    Args:
        monitor: metric that the search goes by, name as in TensorBoard.
        turned: settings that the search chose, by their names; they become columns of TensorBoard's HParams tab.
    """

    def __init__(self, monitor: str, turned: Mapping[str, Any]) -> None:
        self.monitor, self.turned = monitor, turned

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask whether to go on."""
        value = trainer.callback_metrics.get(self.monitor)
        if Search.ask is None or value is None or trainer.sanity_checking or not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        if not Search.ask(epoch, float(value), epoch == trainer.max_epochs):
            trainer.should_stop = True
