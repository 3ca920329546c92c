"""A training that is one of a search's."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class TrialCurve(Callback):
    """Reports the validation metric of each epoch to a search, which may end the training early.

    Args:
        monitor: metric that the search goes by, name as in TensorBoard.
        turned: settings that the search chose, by name, for those who read the run's composition.

    Attributes:
        should_continue: epoch counted from 1, metric, whether it is the last epoch -> whether to go on; set for the
            whole process by the search that has started it. None: there is no search, nothing is reported.
    """

    should_continue: ClassVar[Callable[[int, float, bool], bool] | None] = None

    def __init__(self, monitor: str, turned: Mapping[str, Any]) -> None:
        self.monitor, self.turned = monitor, turned

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the metric, and stop if the search ends the trial."""
        value = trainer.callback_metrics.get(self.monitor)
        if TrialCurve.should_continue is None or value is None or trainer.sanity_checking or not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        if not TrialCurve.should_continue(epoch, float(value), epoch == trainer.max_epochs):
            trainer.should_stop = True
