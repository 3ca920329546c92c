"""Every epoch's metrics."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class History(Callback):
    """One row of metrics per epoch, names as in TensorBoard; kept in the checkpoint."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def best(self, metric: str) -> dict[str, float]:
        """Row with the highest value of a metric, the first of equals; the last row where none has it."""
        rows = [row for row in self.epochs if metric in row]
        return max(rows, key=lambda row: row[metric]) if rows else (self.epochs or [{}])[-1]

    # The epoch's own metrics are complete only after the hooks of its end, so a row is taken one hook later.
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the row of the epoch before."""
        self._take(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the last row."""
        self._take(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Rows so far."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from saved rows."""
        self.epochs = state_dict["epochs"]

    def _take(self, trainer: Trainer) -> None:
        finished = trainer.current_epoch
        if len(self.epochs) < finished:
            row = {name: value.item() for name, value in trainer.callback_metrics.items()}
            self.epochs.append({"epoch": float(finished), **row})
