"""Every epoch's metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from digitrec.run_folder.epochs import write_epochs
from digitrec.run_folder.record import RECORD


class History(Callback):
    """One row of metrics per epoch, names as in TensorBoard; kept in the checkpoint and in the run's history.csv."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self._trainer: Trainer | None = None
        self._validated = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the trainer, for when a checkpoint is saved."""
        self._trainer = trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows that a run goes on from, of a new one none."""
        self._write(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that figures of the validation are of this epoch, not left over from one before."""
        self._validated = True

    # The epoch's own metrics are complete only after the hooks of its end, so a row is taken one hook later.
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the row of the epoch before."""
        self._take(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the last row."""
        self._take(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Rows so far, the one of an epoch that ends with this checkpoint too."""
        if self._trainer is not None:
            self._take(self._trainer)
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from saved rows."""
        self.epochs = state_dict["epochs"]

    def _take(self, trainer: Trainer) -> None:
        # One ahead of current_epoch while the hooks of an epoch's end run, when its checkpoint is saved.
        finished = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        if len(self.epochs) < finished:
            figures = trainer.callback_metrics.items()
            row = {name: value.item() for name, value in figures if self._validated or not name.startswith("val/")}
            self._validated = False
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            self.epochs.append({"epoch": float(finished), "lr": rate, **row})
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        folder = Path(trainer.default_root_dir)
        if trainer.is_global_zero and (folder / RECORD).is_file():  # not where a program of its own trains
            write_epochs(folder, self.epochs)


def epochs_done(checkpoint: Mapping[str, Any]) -> int:
    """Number of whole epochs behind a checkpoint of a training."""
    return int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
