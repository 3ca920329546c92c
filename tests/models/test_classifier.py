from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from lightning import Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from digitrec.data.labels import NO_DIGIT
from digitrec.data.loader import BatchLoader
from digitrec.models.classifier import DigitClassifier, Recipe
from digitrec.models.loss import weighted_cross_entropy
from digitrec.models.mlp import MLP
from digitrec.training.optimizers import sgd
from digitrec.training.schedules import constant
from tests.networks import default_metrics, stage_metrics

Data = tuple[Tensor, Tensor]
Make = Callable[..., MLP]
Fit = Callable[..., Trainer]


def logits_of(model: MLP, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.eval()(images)
    return logits


# ---- loss and metrics of an epoch


@pytest.fixture(scope="module", params=[0.0, 0.2])
def epoch(request: pytest.FixtureRequest, mlp: Make, fit: Fit) -> tuple[MLP, dict[str, float]]:
    """An untrained network and the metrics of two epochs, in which a learning rate of zero left it as it was."""
    model = mlp(lr=0.0, label_smoothing=request.param)
    model.count_metrics(default_metrics(3))
    trainer = fit(model, max_epochs=2)
    return model, {name: value.item() for name, value in trainer.callback_metrics.items()}


def test_weighted_cross_entropy_is_smoothed_cross_entropy(epoch: tuple[MLP, dict[str, float]], data: Data) -> None:
    model, metrics = epoch
    assert model.recipe is not None
    images, labels = data
    expected = F.cross_entropy(logits_of(model, images), labels, label_smoothing=model.recipe.label_smoothing)
    assert metrics["train/loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_validation_loss_is_cross_entropy_over_all_images(epoch: tuple[MLP, dict[str, float]], data: Data) -> None:
    model, metrics = epoch
    images, labels = data
    assert metrics["val/loss"] == pytest.approx(F.cross_entropy(logits_of(model, images), labels).item(), rel=1e-5)


@pytest.mark.parametrize("stage", ["train", "val"])
def test_metrics_of_an_epoch_are_those_of_all_its_images(
    epoch: tuple[MLP, dict[str, float]], data: Data, stage: Literal["train", "val"]
) -> None:
    model, metrics = epoch
    images, labels = data
    counted = stage_metrics(stage, 3)
    counted.update(torch.tensor(metrics[f"{stage}/loss"]), logits_of(model, images).argmax(1), labels, weight=50)
    expected = {name: value.item() for name, value in counted.compute(model.class_names).items()}
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_every_metric_name_is_logged(mlp: Make, fit: Fit, data: Data) -> None:
    model = mlp()
    model.count_metrics(default_metrics(3))
    trainer = fit(model)
    logged = set(trainer.callback_metrics)
    tested = trainer.test(model, BatchLoader(*data, 16), verbose=False)[0]
    assert set(model.metric_names) <= logged | set(tested)
    assert {f"test/f1_{name}" for name in model.class_names} <= set(tested)


def test_training_learns(mlp: Make, fit: Fit, data: Data) -> None:
    before = F.cross_entropy(logits_of(mlp(), data[0]), data[1])
    trainer = fit(mlp(), max_epochs=20)
    assert trainer.callback_metrics["val/loss"] < 0.5 * before


def test_step_loss_is_the_mean_of_the_steps_since_it_was_last_logged(mlp: Make, fit: Fit, data: Data) -> None:
    model = mlp(lr=0.0)
    trainer = fit(model, log_every_n_steps=2, limit_train_batches=2)
    images, labels = data
    expected = F.cross_entropy(logits_of(model, images[:32]), labels[:32])
    torch.testing.assert_close(trainer.callback_metrics["train/loss_step"], expected)


# ---- images that show no digit


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
def test_an_image_of_no_digit_is_to_be_torn_between_all_classes(smoothing: float) -> None:
    labels = torch.full((4,), NO_DIGIT)
    even, sure = torch.zeros(4, 10), 5 * torch.eye(10)[:4]
    even.requires_grad_()
    loss = weighted_cross_entropy(even, labels, label_smoothing=smoothing)
    loss.backward()
    assert even.grad is not None
    assert even.grad.abs().max() < 1e-7
    assert loss < weighted_cross_entropy(sure, labels, label_smoothing=smoothing)


def test_the_loss_is_a_mean_over_images_with_and_without_a_digit() -> None:
    logits, labels = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 2, 3, -1, -1, -1])
    digits = F.cross_entropy(logits[:3], labels[:3], label_smoothing=0.1)
    others = F.cross_entropy(logits[3:], torch.full((3, 10), 0.1))
    torch.testing.assert_close(weighted_cross_entropy(logits, labels, label_smoothing=0.1), (digits + others) / 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_digits_alone_have_the_loss_that_torch_gives_them(smoothing: float, data: Data) -> None:
    images, labels = data
    logits = images.flatten(1)[:, :3].float()
    ours = weighted_cross_entropy(logits, labels, label_smoothing=smoothing)
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, label_smoothing=smoothing))


def test_metrics_of_training_are_those_of_digits_alone(mlp: Make, fit: Fit, data: Data) -> None:
    images, labels = data
    strange = labels.clone()
    strange[::4] = NO_DIGIT
    model = mlp(lr=0.0, outliers=True)
    trainer = fit(model, strange)
    right = logits_of(model, images).argmax(1) == labels
    expected = right[strange != NO_DIGIT].double().mean().item()
    assert trainer.callback_metrics["train/accuracy"].item() == pytest.approx(expected)


# ---- the number of steps a schedule gets


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"max_epochs": 3}, 12),
        ({"max_epochs": 3, "accumulate_grad_batches": 2}, 6),
        ({"max_epochs": 3, "accumulate_grad_batches": 3}, 6),  # the short last one is a step as well
        ({"max_epochs": 3, "limit_train_batches": 2}, 6),
        ({"max_epochs": 10, "max_steps": 5}, 5),
        ({"max_epochs": -1, "max_steps": 5}, 5),
    ],
)
def test_the_schedule_gets_the_true_number_of_steps(mlp: Make, fit: Fit, settings: dict[str, Any], steps: int) -> None:
    totals = []

    def scheduler(optimizer: Optimizer, total_steps: int) -> LRScheduler:
        totals.append(total_steps)
        return constant(optimizer, total_steps)

    model = mlp()
    model.recipe = Recipe(sgd, scheduler)
    trainer = fit(model, **settings)
    assert totals == [trainer.global_step] == [steps]


def test_the_schedule_is_stepped_once_per_optimizer_step(mlp: Make, fit: Fit) -> None:
    trainer = fit(mlp(), max_epochs=3, accumulate_grad_batches=2)
    schedule = trainer.lr_scheduler_configs[0].scheduler
    assert isinstance(schedule, LRScheduler)
    assert schedule.last_epoch == 6


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_of_a_fused_optimizer_are_clipped_in_every_precision(mlp: Make, fit: Fit, precision: str) -> None:
    moved = {}
    for most in (1e-6, None):
        model = mlp()
        model.recipe = Recipe(partial(sgd, lr=1.0, momentum=0.0, weight_decay=0.0), constant, 0.0, outliers=False)
        before = model.state_dict()["head.0.weight"].clone()
        fit(model, precision=precision, gradient_clip_val=most, max_steps=1)
        moved[most] = float((model.state_dict()["head.0.weight"] - before).norm())
    assert 0 < moved[1e-6] < 1e-5 < moved[None]


def test_a_schedule_without_an_end_is_an_error_that_names_the_settings(mlp: Make, fit: Fit) -> None:
    with pytest.raises(ValueError, match=r"trainer\.max_epochs or trainer\.max_steps"):
        fit(mlp(), max_epochs=-1)


# ---- what belongs to the data


def test_described_data_are_normalised_to_mean_zero_and_deviation_one(mlp: Make) -> None:
    model = mlp(in_channels=2)
    images = torch.rand(40, 2, 6, 6) * torch.tensor([1.0, 0.3]).view(2, 1, 1)
    mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3), unbiased=False)
    model.describe_data(["a", "b", "c"], mean.tolist(), std.tolist())
    normalised = model.normalise(images)
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std((0, 2, 3), unbiased=False), torch.ones(2))
    assert model.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("class_names", "mean", "std", "message"),
    [
        (["a", "b"], [0.1], [0.3], "3 classes, the data 2"),
        ([*"abcd"], [0.1], [0.3], "3 classes, the data 4"),
        ("abc", [0.1], [0.3], "two or more different texts"),
        (["a", "b", "a"], [0.1], [0.3], "two or more different texts"),
        (["a", "b", 3], [0.1], [0.3], "two or more different texts"),
        ([*"abc"], [0.1, 0.2], [0.3, 0.3], "expected 1 means"),
        ([*"abc"], [0.1], [0.3, 0.3], "expected 1 means"),
        ([*"abc"], [0.1], [0.0], "positive deviations"),
    ],
)
def test_data_that_do_not_fit_are_an_error(
    mlp: Make, class_names: list[str], mean: list[float], std: list[float], message: str
) -> None:
    model = mlp()
    with pytest.raises(ValueError, match=message):
        model.describe_data(class_names, mean, std)
    assert model.class_names == ("0", "1", "2")


@pytest.mark.parametrize("wrong", [{"num_classes": 1}, {"in_channels": 0}, {"image_size": 0}])
def test_impossible_sizes_are_an_error_that_repeats_them(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected num_classes >= 2"):
        DigitClassifier(**wrong)


# ---- prediction


@pytest.mark.parametrize("labelled", [True, False])
def test_predictions_are_probabilities(mlp: Make, data: Data, labelled: bool) -> None:
    model = mlp().eval()
    probabilities = model.predict_step(data if labelled else data[0], 0)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(50))
    torch.testing.assert_close(probabilities, model(data[0]).softmax(1))


def test_a_network_without_a_recipe_predicts_but_does_not_train(data: Data, fit: Fit) -> None:
    model = MLP(hidden=[], num_classes=3, image_size=6)
    assert model.predict_step(data, 0).shape == (50, 3)
    with pytest.raises(AssertionError, match="needs a recipe"):
        fit(model)


def test_settings_of_the_recipe_reach_the_optimizer(mlp: Make, fit: Fit) -> None:
    model = mlp()
    model.recipe = Recipe(partial(sgd, lr=0.03, momentum=0.5), constant)
    optimizer = fit(model).optimizers[0]
    assert [(group["lr"], group["momentum"]) for group in optimizer.param_groups] == [(0.03, 0.5)] * 2


def test_a_network_that_goes_on_keeps_its_threshold() -> None:
    saved: dict[str, Any] = {}
    model, resumed = MLP(), MLP()
    model.threshold = 0.7
    model.on_save_checkpoint(saved)
    resumed.on_load_checkpoint(saved)
    assert resumed.threshold == 0.7
