from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from torch import Tensor
from torch.optim import Optimizer

from digitrec.data.datamodule import DigitDataModule
from digitrec.errors import UsageError
from digitrec.models.classifier import Recipe
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualCNN
from digitrec.models.wrapped import Wrapped
from digitrec.training.freezing import FreezeFeatures
from digitrec.training.optimizers import adam, adamw, muon, rmsprop, sgd
from digitrec.training.schedules import one_cycle

EPOCHS = 4
State = dict[str, Tensor]


@pytest.fixture
def fit(trainer: Callable[..., Trainer], digits: Callable[[], DigitDataModule]) -> Callable[..., ResidualCNN]:
    """Train a network with batch normalisation for four epochs."""

    def run(
        *callbacks: Callback,
        optimizer: Callable[..., Optimizer] = adamw,
        resume: Path | None = None,
        **settings: Any,
    ) -> ResidualCNN:
        model = network()
        model.recipe = Recipe(optimizer, one_cycle)
        run = trainer(max_epochs=EPOCHS, **{"callbacks": list(callbacks), **settings})
        run.fit(model, digits(), ckpt_path=resume)
        return model

    return run


def network() -> ResidualCNN:
    torch.manual_seed(0)
    return ResidualCNN(stem=[4], filters=[6], blocks=[1], dropout=0.2, num_classes=3, image_size=6)


def unchanged(model: ResidualCNN) -> bool:
    """Whether the features, batch statistics with them, are bit by bit what they were before training."""
    return same(model.features.state_dict(), network().features.state_dict())


def same(some: State, others: State) -> bool:
    return all(torch.equal(part, others[name]) for name, part in some.items())


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(adam, weight_decay=0.1),
        partial(adamw, weight_decay=0.5, decay_all=True),
        partial(sgd, weight_decay=0.1),
        partial(rmsprop, weight_decay=0.1, momentum=0.9),
        partial(muon, weight_decay=0.5),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"val_check_interval": 1}, {"gradient_clip_val": 0.1}], ids=str)
def test_frozen_features_stay_as_they_are_while_the_head_learns(
    fit: Callable[..., ResidualCNN], optimizer: Callable[..., Optimizer], settings: dict[str, Any]
) -> None:
    model = fit(FreezeFeatures(None), optimizer=optimizer, **settings)
    assert unchanged(model)
    assert not same(model.head.state_dict(), network().head.state_dict())


def test_released_features_learn_their_statistics_too(fit: Callable[..., ResidualCNN]) -> None:
    model = fit(FreezeFeatures(EPOCHS - 1))
    before = dict(network().features.named_buffers()) | dict(network().features.named_parameters())
    after = dict(model.features.named_buffers()) | dict(model.features.named_parameters())
    assert all(not torch.equal(part, before[name]) for name, part in after.items())
    assert unchanged(fit(FreezeFeatures(EPOCHS)))


def test_frozen_for_no_epoch_is_not_frozen(fit: Callable[..., ResidualCNN]) -> None:
    assert same(fit(FreezeFeatures(0)).state_dict(), fit().state_dict())


@pytest.mark.parametrize("until_epoch", [0, 1, 2, 3, None])
def test_a_resumed_run_ends_like_a_whole_one(
    fit: Callable[..., ResidualCNN], until_epoch: int | None, tmp_path: Path
) -> None:
    checkpoint = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    whole = fit(FreezeFeatures(until_epoch), checkpoint, enable_checkpointing=True)
    resumed = fit(FreezeFeatures(until_epoch), resume=tmp_path / "epoch=1.ckpt")
    assert same(resumed.state_dict(), whole.state_dict())


def test_features_stay_frozen_when_resumed_within_an_epoch(fit: Callable[..., ResidualCNN], tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, every_n_train_steps=1)
    fit(FreezeFeatures(None), checkpoint, enable_checkpointing=True)
    assert unchanged(fit(FreezeFeatures(None), resume=tmp_path / "step=2.ckpt"))


def test_averaged_weights_keep_frozen_features_and_follow_released_ones(
    fit: Callable[..., ResidualCNN],
) -> None:
    averaged = fit(FreezeFeatures(None), EMAWeightAveraging(decay=0.5))
    for name, part in averaged.features.state_dict().items():
        torch.testing.assert_close(part, network().features.state_dict()[name])
    released = fit(FreezeFeatures(1), EMAWeightAveraging(decay=0.5))
    assert not unchanged(released)
    assert not same(released.state_dict(), fit(FreezeFeatures(1)).state_dict())


def test_of_a_network_from_elsewhere_the_last_dense_layer_learns(
    trainer: Callable[..., Trainer], digits: Callable[[], DigitDataModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITREC_ALLOW", "tests.networks")
    model = Wrapped({"_target_": "tests.networks.Plain"}, resize=28, num_classes=3, image_size=6)
    model.recipe = Recipe(adamw, one_cycle)
    before = {name: part.clone() for name, part in model.network.state_dict().items()}
    trainer(callbacks=[FreezeFeatures(None)]).fit(model, digits())
    learned = [name for name, part in model.network.state_dict().items() if not torch.equal(part, before[name])]
    assert learned == ["layers.3.weight", "layers.3.bias"]


def test_what_is_left_can_be_trained_on(fit: Callable[..., ResidualCNN]) -> None:
    assert all(parameter.requires_grad for parameter in fit(FreezeFeatures(None)).parameters())


def test_a_network_needs_features(trainer: Callable[..., Trainer], digits: Callable[[], DigitDataModule]) -> None:
    model = MLP(hidden=[], num_classes=3, image_size=6)
    del model.features
    with pytest.raises(UsageError, match="MLP has no features"):
        trainer(callbacks=[FreezeFeatures()]).fit(model, digits())


@pytest.mark.parametrize(("strategy", "refused"), [("ddp", True), ("ddp_find_unused_parameters_true", False)])
def test_processes_that_need_all_gradients_are_refused(
    trainer: Callable[..., Trainer], strategy: str, refused: bool
) -> None:
    processes = trainer(strategy=strategy, devices=2)
    if not refused:
        FreezeFeatures().setup(processes, network(), "fit")
        return
    with pytest.raises(UsageError, match=r"trainer\.strategy=ddp_find_unused_parameters_true"):
        FreezeFeatures().setup(processes, network(), "fit")
