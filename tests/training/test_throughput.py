import time
from collections.abc import Callable

import pytest
import torch
from lightning import Trainer
from torch import Tensor

from digitrec.data.datamodule import DigitDataModule
from digitrec.models.classifier import TrainingBatch
from digitrec.models.mlp import MLP
from digitrec.training.history import History
from digitrec.training.throughput import Throughput

STEP, PAUSE = 0.01, 0.5  # seconds; between them lies what a busy machine may add to three steps


class Slow(MLP):
    """Rests in every step."""

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        time.sleep(STEP)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        time.sleep(PAUSE)
        return super().validation_step(batch, batch_idx)


def slow(mlp: Callable[..., MLP]) -> Slow:
    torch.manual_seed(0)
    model = Slow(hidden=[8], num_classes=3, image_size=6)
    model.recipe = mlp().recipe
    return model


@pytest.mark.parametrize("val_check_interval", [1.0, 1])
def test_speed_is_that_of_training_alone(
    trainer: Callable[..., Trainer],
    mlp: Callable[..., MLP],
    digits: Callable[[], DigitDataModule],
    val_check_interval: float,
) -> None:
    """Validation comes after the epoch, or after each of its three steps."""
    throughput, history = Throughput(), History()
    run = trainer(callbacks=[throughput, history], max_epochs=1, val_check_interval=val_check_interval)
    run.fit(slow(mlp), digits())
    (speed,) = throughput.epochs
    assert 20 / PAUSE < speed < 20 / (3 * STEP)
    assert history.epochs[0]["train/images_per_second"] == pytest.approx(speed)


def test_an_unfinished_epoch_has_no_speed(
    trainer: Callable[..., Trainer], mlp: Callable[..., MLP], digits: Callable[[], DigitDataModule]
) -> None:
    throughput = Throughput()
    trainer(callbacks=[throughput], max_epochs=-1, max_steps=2).fit(mlp(), digits())
    assert throughput.epochs == []
    assert throughput.images_per_second is None


@pytest.mark.parametrize(("epochs", "median"), [([7.0], 7.0), ([1.0, 9.0], 9.0), ([1.0, 9.0, 5.0, 8.0], 8.0)])
def test_the_first_epoch_counts_only_when_it_is_alone(epochs: list[float], median: float) -> None:
    throughput = Throughput()
    throughput.epochs = epochs
    assert throughput.images_per_second == median
