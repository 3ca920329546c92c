from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from digitrec.data.datamodule import DigitDataModule
from digitrec.models.mlp import MLP
from digitrec.training.history import History


class Witness(Callback):
    """Notes what Lightning itself holds for an epoch's metrics when the epoch is over."""

    def __init__(self) -> None:
        self.val: list[float] = []

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.val.append(trainer.callback_metrics["val/loss"].item())


@pytest.fixture(scope="module")
def run(
    trainer: Callable[..., Trainer],
    mlp: Callable[..., MLP],
    digits: Callable[[], DigitDataModule],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[History, Witness, Trainer]:
    history, witness = History(), Witness()
    keep = ModelCheckpoint(tmp_path_factory.mktemp("kept"), filename="last", save_on_train_epoch_end=True)
    done = trainer(callbacks=[history, witness, keep], enable_checkpointing=True)
    done.fit(mlp(), digits())
    return history, witness, done


def test_every_epoch_has_one_row_with_its_own_metrics(run: tuple[History, Witness, Trainer]) -> None:
    history, witness, _ = run
    assert [row["epoch"] for row in history.epochs] == [1, 2, 3]
    assert [row["val/loss"] for row in history.epochs] == witness.val
    assert len({row["train/loss"] for row in history.epochs}) == 3


def test_the_last_row_is_what_training_ended_with(
    run: tuple[History, Witness, Trainer], mlp: Callable[..., MLP]
) -> None:
    history, _, done = run
    ended = {name: value.item() for name, value in done.callback_metrics.items()}
    assert history.epochs[-1] == {"epoch": 3.0, "lr": 0.05, **ended}
    assert {name for name in mlp().metric_names if not name.startswith("test/")} <= set(ended)


def test_rows_go_on_after_a_resume(
    run: tuple[History, Witness, Trainer],
    trainer: Callable[..., Trainer],
    mlp: Callable[..., MLP],
    digits: Callable[[], DigitDataModule],
) -> None:
    whole, _, done = run
    assert done.checkpoint_callback is not None
    checkpoint = Path(done.checkpoint_callback.best_model_path)  # type: ignore[attr-defined]
    history = History()
    trainer(callbacks=[history], max_epochs=5).fit(mlp(), digits(), ckpt_path=str(checkpoint), weights_only=True)
    assert [row["epoch"] for row in history.epochs] == [1, 2, 3, 4, 5]
    assert history.epochs[:3] == whole.epochs[:3]  # the row of the epoch that ended with the checkpoint too


def test_an_epoch_cut_short_by_the_number_of_steps_has_its_row(
    trainer: Callable[..., Trainer], mlp: Callable[..., MLP], digits: Callable[[], DigitDataModule]
) -> None:
    history = History()
    trainer(callbacks=[history], max_epochs=-1, max_steps=4).fit(mlp(), digits())
    assert [row["epoch"] for row in history.epochs] == [1, 2]
    assert "train/loss" in history.epochs[1]
