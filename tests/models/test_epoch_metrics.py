import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from digitrec.models.epoch_metrics import StageMetrics

NAMES = ("zero", "one", "two", "three")


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(4, (90,), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def predictions(labels: Tensor) -> Tensor:
    """Right in two of three, and never a three: a class without predictions counts as well."""
    guesses = torch.randint(3, (90,), generator=torch.Generator().manual_seed(1))
    return torch.where((torch.arange(90) % 3 == 0) | (labels == 3), guesses, labels)


def computed(stage: StageMetrics, predictions: Tensor, labels: Tensor, batch_size: int) -> dict[str, float]:
    for some, right in zip(predictions.split(batch_size), labels.split(batch_size), strict=True):
        stage.update(torch.tensor(0.5), some, right, weight=len(right))
    return {name: value.item() for name, value in stage.compute(NAMES).items()}


@pytest.mark.parametrize("batch_size", [90, 7, 1])
def test_metrics_equal_scikit_learn_in_any_batches(predictions: Tensor, labels: Tensor, batch_size: int) -> None:
    macro = {"average": "macro", "zero_division": 0}
    assert computed(StageMetrics("val", 4), predictions, labels, batch_size) == pytest.approx(
        {
            "val/loss": 0.5,
            "val/accuracy": sk.accuracy_score(labels, predictions),
            "val/precision": sk.precision_score(labels, predictions, **macro),
            "val/recall": sk.recall_score(labels, predictions, **macro),
            "val/f1": sk.f1_score(labels, predictions, **macro),
            "val/r2": sk.r2_score(labels, predictions),
        },
        rel=1e-5,
    )


def test_test_also_has_f1_of_each_class_by_its_name(predictions: Tensor, labels: Tensor) -> None:
    found = computed(StageMetrics("test", 4), predictions, labels, 90)
    by_class = sk.f1_score(labels, predictions, average=None, zero_division=0)
    for name, f1 in zip(NAMES, by_class, strict=True):
        assert found[f"test/f1_{name}"] == pytest.approx(f1, rel=1e-5)
    assert found["test/f1_three"] == 0


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_names_are_what_is_computed_without_single_classes(stage: str, predictions: Tensor, labels: Tensor) -> None:
    counted = StageMetrics(stage, 4)  # type: ignore[arg-type]
    known = [name for name in computed(counted, predictions, labels, 90) if name.count("_") == 0]
    assert sorted(counted.names) == sorted(known)


def test_loss_is_the_mean_over_images() -> None:
    stage = StageMetrics("val", 4)
    for loss, size in ((1.0, 8), (5.0, 2)):
        stage.update(torch.tensor(loss), torch.zeros(size).long(), torch.zeros(size).long(), weight=size)
    assert stage.compute(NAMES)["val/loss"] == pytest.approx(1.8)


def test_counting_starts_anew_after_each_result(predictions: Tensor, labels: Tensor) -> None:
    stage = StageMetrics("val", 4)
    computed(stage, labels, labels, 90)
    again = computed(stage, predictions, labels, 90)
    assert again == computed(StageMetrics("val", 4), predictions, labels, 90)


def test_metrics_keep_nothing_in_a_checkpoint(predictions: Tensor, labels: Tensor) -> None:
    stage = StageMetrics("test", 4)
    stage.update(torch.tensor(0.5), predictions, labels, weight=90)
    assert stage.state_dict() == {}
