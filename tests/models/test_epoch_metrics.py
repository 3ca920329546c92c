import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassF1Score,
    MulticlassROC,
    MultilabelAccuracy,
)

from digitrec.errors import UsageError
from digitrec.models.epoch_metrics import StageMetrics, by_input
from tests.networks import default_metrics, stage_metrics

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
    assert computed(stage_metrics("val", 4), predictions, labels, batch_size) == pytest.approx(
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
    found = computed(stage_metrics("test", 4), predictions, labels, 90)
    by_class = sk.f1_score(labels, predictions, average=None, zero_division=0)
    for name, f1 in zip(NAMES, by_class, strict=True):
        assert found[f"test/f1_{name}"] == pytest.approx(f1, rel=1e-5)
    assert found["test/f1_three"] == 0


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_names_are_what_is_computed_without_single_classes(stage: str, predictions: Tensor, labels: Tensor) -> None:
    counted = stage_metrics(stage, 4)  # type: ignore[arg-type]
    known = [name for name in computed(counted, predictions, labels, 90) if name.count("_") == 0]
    assert sorted(counted.names) == sorted(known)


def test_a_metric_of_probabilities_is_recognised_and_equals_scikit_learn(labels: Tensor) -> None:
    logits = torch.randn(90, 4, generator=torch.Generator().manual_seed(2))
    chosen = {"auroc": MulticlassAUROC(4), "top2": MulticlassAccuracy(4, top_k=2, average="micro")}
    of_labels, of_probabilities = by_input({**chosen, **default_metrics(4)}, 4)
    assert (set(of_labels), set(of_probabilities)) == (set(default_metrics(4)), set(chosen))
    found = computed(StageMetrics("val", 4, of_labels, of_probabilities), logits, labels, 7)
    probabilities = logits.softmax(dim=1)
    assert found["val/auroc"] == pytest.approx(sk.roc_auc_score(labels, probabilities, multi_class="ovr"), rel=1e-5)
    assert found["val/top2"] == pytest.approx(sk.top_k_accuracy_score(labels, probabilities, k=2), rel=1e-5)
    assert found["val/accuracy"] == pytest.approx(sk.accuracy_score(labels, logits.argmax(dim=1)), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "metric", "reason"),
    [
        (
            "roc",
            MulticlassROC(4),
            "it gives tuple, expected 1, or one for each class under a name such as roc_by_class",
        ),
        ("f1", MulticlassF1Score(4, average="none"), "it gives 4 numbers, expected 1"),
        ("f1_by_class", MulticlassF1Score(4), "it gives 1 numbers, expected 4"),
        ("labels", MultilabelAccuracy(4), "it takes neither predicted labels nor probabilities"),
    ],
)
def test_a_metric_that_gives_no_number_or_takes_no_labels_is_refused(name: str, metric: Metric, reason: str) -> None:
    with pytest.raises(UsageError, match=f"metrics.{name}: {reason}"):
        by_input({name: metric}, 4)


def test_loss_is_the_mean_over_images() -> None:
    stage = stage_metrics("val", 4)
    for loss, size in ((1.0, 8), (5.0, 2)):
        stage.update(torch.tensor(loss), torch.zeros(size).long(), torch.zeros(size).long(), weight=size)
    assert stage.compute(NAMES)["val/loss"] == pytest.approx(1.8)


def test_counting_starts_anew_after_each_result(predictions: Tensor, labels: Tensor) -> None:
    stage = stage_metrics("val", 4)
    computed(stage, labels, labels, 90)
    again = computed(stage, predictions, labels, 90)
    assert again == computed(stage_metrics("val", 4), predictions, labels, 90)


def test_metrics_keep_nothing_in_a_checkpoint(predictions: Tensor, labels: Tensor) -> None:
    stage = stage_metrics("test", 4)
    stage.update(torch.tensor(0.5), predictions, labels, weight=90)
    assert stage.state_dict() == {}
