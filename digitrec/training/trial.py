"""A training that is one of a search's."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class TrialCurve(Callback):
    """Tells a search the validation metric of each epoch, and ends the training early where it says so.

    Args:
        monitor: metric that the search goes by, name as in TensorBoard.
        turned: settings that the search chose, by their names; they become columns of TensorBoard's HParams tab.

    Attributes:
        ask: epoch counted from 1, metric, whether it is the last one -> whether to go on; set for the whole process
            by the search that has started it. Without it nobody is told anything.
    """

    ask: ClassVar[Callable[[int, float, bool], bool] | None] = None

    def __init__(self, monitor: str, turned: Mapping[str, Any]) -> None:
        self.monitor, self.turned = monitor, turned

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask whether to go on."""
        value = trainer.callback_metrics.get(self.monitor)
        if TrialCurve.ask is None or value is None or trainer.sanity_checking or not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        if not TrialCurve.ask(epoch, float(value), epoch == trainer.max_epochs):
            trainer.should_stop = True
