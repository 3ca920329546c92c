"""Laws of the learning-rate range test."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.optim import SGD

from digitrec.training.lr_range import smoothed, suggestion
from digitrec.training.schedules import lr_range
from tests.command import Command


def test_the_rate_rises_by_the_same_factor_and_groups_keep_their_ratio() -> None:
    one, other = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = SGD([{"params": [one], "lr": 0.1}, {"params": [other], "lr": 0.02}])
    schedule = lr_range(optimizer, 100, low=1e-5, high=1e-1)
    rates = []
    for _ in range(100):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    assert rates[0][0] == pytest.approx(1e-5)
    assert all(later[0] / earlier[0] == pytest.approx(10**0.04) for earlier, later in pairwise(rates))
    assert all(first == pytest.approx(5 * second) for first, second in rates)


def test_a_constant_curve_is_smoothed_to_itself() -> None:
    assert smoothed([2.0] * 7) == pytest.approx([2.0] * 7)


def test_the_suggestion_lies_on_the_steepest_fall() -> None:
    rates = [10 ** (-6 + step / 10) for step in range(60)]
    losses = [2.3 - 2 / (1 + 10 ** (-4 * (step / 10 - 3))) if step < 50 else 5.0 for step in range(60)]  # falls at 1e-3
    assert 1e-3 <= suggestion(rates, losses) <= 3e-3  # smoothing looks back


@pytest.mark.parametrize("settings", [("model=mlp", "optimizer=sgd"), ("model=cnn", "callbacks=[default,ema]")])
def test_it_works_with_any_network_and_optimizer(settings: tuple[str, ...], run_train: Command, tmp_path: Path) -> None:
    outcome = run_train(
        "data=digits", "trainer.accelerator=cpu", "debug=lr_range", *settings, "hydra.run.dir=run", code=0
    )
    assert "the loss falls fastest at optimizer.lr=" in outcome.out
    with (tmp_path / "run" / "lr_range.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert 20 < len(rows) <= 200
    assert float(rows[-1]["smoothed"]) > 2 * min(float(row["smoothed"]) for row in rows)
    assert (tmp_path / "run" / "lr_range.png").stat().st_size > 10_000
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert "lr_range" in EventAccumulator(str(tmp_path / "run")).Reload().Tags()["images"]
