from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Trainer

from digitrec.data.datamodule import DigitDataModule
from digitrec.models.checkpoint_file import read_checkpoint
from digitrec.models.mlp import MLP
from digitrec.training.checkpoints import EpochCheckpoint
from digitrec.training.history import History, epochs_done

TIES = [(0.5, 0.3), (0.9, 0.6), (0.9, 0.02), (0.9, 0.4), (0.8, 0.01)]


class Figures(MLP):
    """Logs an accuracy and a loss of our choice in place of an epoch's own."""

    def on_validation_epoch_end(self) -> None:
        accuracy, loss = TIES[self.current_epoch]
        self.log_dict({"val/accuracy": accuracy, "val/loss": loss})


@pytest.mark.parametrize("keep", [1, 2, -1])
@pytest.mark.parametrize("cut", [None, 2, 3])
def test_of_equal_accuracies_the_lower_loss_is_kept(
    trainer: Callable[..., Trainer],
    mlp: Callable[..., MLP],
    digits: Callable[[], DigitDataModule],
    tmp_path: Path,
    keep: int,
    cut: int | None,
) -> None:
    def fit(epochs: int, resume: Path | None = None) -> tuple[EpochCheckpoint, History]:
        best = EpochCheckpoint(str(tmp_path), "best-{epoch}", "val/accuracy", save_top_k=keep)
        history = History()
        callbacks = [history, best, EpochCheckpoint(str(tmp_path), "last")]
        made = trainer(callbacks=callbacks, max_epochs=epochs, enable_checkpointing=True)
        model = Figures(hidden=[8], num_classes=3, image_size=6)
        model.recipe = mlp().recipe
        made.fit(model, digits(), ckpt_path=resume, weights_only=True)
        return best, history

    if cut:
        fit(cut)
    best, history = fit(len(TIES), tmp_path / "last.ckpt" if cut else None)
    kept = read_checkpoint(Path(best.best_model_path))
    assert kept["epoch"] == 3
    assert history.epochs[epochs_done(kept) - 1]["val/loss"] == pytest.approx(0.02)
    assert read_checkpoint(tmp_path / "best.ckpt")["epoch"] == 3
