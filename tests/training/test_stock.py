"""Optimizers and schedules of torch's kind, by their class."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim import RAdam
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau, StepLR

from digitrec.data.datamodule import DigitDataModule
from digitrec.models.classifier import Recipe
from digitrec.models.mlp import MLP
from digitrec.training.optimizers import of_model
from digitrec.training.schedules import over_steps
from tests.command import QUICK, Command, only_run, read_json
from tests.networks import tiny_mlp

LR = 0.02


class Rates(Callback):
    """Learning rate of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.fixture
def fit(trainer: Callable[..., Trainer], digits: Callable[[], DigitDataModule]) -> Callable[..., tuple[MLP, Rates]]:
    """Train for four epochs of three steps."""

    def run(schedule: "partial[LRScheduler]", *callbacks: Callback, resume: Path | None = None) -> tuple[MLP, Rates]:
        model, rates = tiny_mlp(), Rates()
        scheduler, per_epoch = over_steps(schedule)
        model.recipe = Recipe(of_model(partial(RAdam, lr=LR)), scheduler, per_epoch=per_epoch)
        some = trainer(max_epochs=4, callbacks=[rates, *callbacks], enable_checkpointing=bool(callbacks))
        some.fit(model, digits(), ckpt_path=resume)
        return model, rates

    return run


def test_a_schedule_of_torch_is_stepped_once_per_epoch(fit: Callable[..., tuple[MLP, Rates]]) -> None:
    _, rates = fit(partial(StepLR, step_size=1, gamma=0.5))
    assert rates.seen == pytest.approx([LR * 0.5**epoch for epoch in range(4) for _ in range(3)])


def test_one_that_takes_the_number_of_steps_is_stepped_as_often(fit: Callable[..., tuple[MLP, Rates]]) -> None:
    _, rates = fit(partial(OneCycleLR, max_lr=LR))
    assert len(set(rates.seen)) == 12
    assert max(rates.seen) == pytest.approx(LR, rel=0.1)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_one_that_follows_validation_falls_when_that_stays(
    fit: Callable[..., tuple[MLP, Rates]], mode: Literal["min", "max"]
) -> None:
    """With a threshold that no improvement passes, every validation but the first is one without."""
    _, rates = fit(partial(ReduceLROnPlateau, mode=mode, patience=0, factor=0.5, threshold=1e9, threshold_mode="abs"))
    assert rates.seen == pytest.approx([LR * factor for factor in (1, 1, 0.5, 0.25) for _ in range(3)])


@pytest.mark.parametrize(
    "schedule",
    [
        partial(CosineAnnealingLR, T_max=3),
        partial(ReduceLROnPlateau, patience=0, factor=0.5, threshold=1e9, threshold_mode="abs"),
    ],
    ids=["per epoch", "follows validation"],
)
def test_a_resumed_training_goes_on_with_the_schedule(
    fit: Callable[..., tuple[MLP, Rates]], schedule: "partial[LRScheduler]", tmp_path: Path
) -> None:
    whole, rates = fit(schedule, ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1))
    resumed, rest = fit(schedule, resume=tmp_path / "epoch=1.ckpt")
    assert rest.seen == rates.seen[6:]
    for name, part in resumed.state_dict().items():
        assert torch.equal(part, whole.state_dict()[name]), name


def test_both_work_from_the_command_line_with_their_own_defaults(run_train: Command, tmp_path: Path) -> None:
    run_train(
        *QUICK,
        "model=mlp",
        "data.limit=100",
        "logger=none",
        "optimizer._target_=torch.optim.RAdam",
        "optimizer.lr=0.01",
        "scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR",
        "+scheduler.T_max=3",
        code=0,
    )
    settings = read_json(only_run(tmp_path) / "run.json")["settings"]
    chosen = {name: value for name, value in settings.items() if name.startswith(("optimizer.", "scheduler."))}
    assert chosen == {
        "optimizer._target_": "torch.optim.RAdam",
        "optimizer.lr": 0.01,
        "scheduler._target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
        "scheduler.T_max": 3,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer._target_=torch.optim.RAdam", "optimizer.lr=-1"], "optimizer: Invalid learning rate: -1"),
        (["optimizer._target_=torch.optim.Muon"], "optimizer: Muon only supports 2D parameters"),
        (["optimizer._target_=torch.optim.RAdm"], "no class or function torch.optim.RAdm"),
        (["optimizer._target_=torch.optim.Adam", "optimizer.betta=1"], "unknown key, did you mean optimizer.betas?"),
        (["optimizer._target_=torch.optim.adam.adam"], "optimizer: adam() "),
        (["scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR"], "argument: 'T_max'"),
        (
            ["scheduler._target_=torch.optim.lr_scheduler.ReduceLROnPlateau", "data.val_size=0"],
            "there are no validation",
        ),
    ],
)
def test_wrong_ones_are_refused_before_training(run_train: Command, words: list[str], message: str) -> None:
    run_train(*QUICK, "data.limit=100", "logger=none", *words).assert_refused(message)
