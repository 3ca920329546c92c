"""Metrics of training, validation and test."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection, SumMetric
from torchmetrics.classification import MulticlassAccuracy

from digitrec.errors import UsageError
from digitrec.system.wording import first_line

Stage = Literal["train", "val", "test"]
Metrics = Mapping[str, Metric]
BY_CLASS = "_by_class"  # ends the name of a metric with one value for each class; counted in the test only


class StageMetrics(nn.Module):
    """Loss, accuracy and chosen metrics of one stage, added up over batches and processes.

    Args:
        stage: begins the names.
        num_classes: of the data.
        of_labels: metrics of predicted labels, by name.
        of_probabilities: metrics of the classes' probabilities, by name.
    """

    def __init__(self, stage: Stage, num_classes: int, of_labels: Metrics, of_probabilities: Metrics) -> None:
        super().__init__()
        accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        self.stage = stage
        # Two sums instead of a MeanMetric, which skips NaN, or with that disabled ignores the weights.
        self.loss_sum = SumMetric(nan_strategy="disable")
        self.images = SumMetric(nan_strategy="disable")
        self.of_labels = _collection(stage, {"accuracy": accuracy, **of_labels})
        self.of_probabilities = _collection(stage, of_probabilities)

    @property
    def names(self) -> list[str]:
        """Names under which `compute` reports, those of single classes left out."""
        names = ("loss", *self.of_labels, *self.of_probabilities)
        return [f"{self.stage}/{name}" for name in names if not name.endswith(BY_CLASS)]

    def needed_of(self, logits: Tensor) -> Tensor:
        """What `update` needs of logits (N, C): themselves, or if no metric takes probabilities, labels (N,)."""
        return logits if len(self.of_probabilities) else logits.argmax(dim=1)

    def update(self, loss: Tensor, outputs: Tensor, labels: Tensor, weight: Tensor | int) -> None:
        """Count `needed_of` some logits against labels (N,), and mean losses (K,) of `weight` (K,) images each."""
        weights = torch.as_tensor(weight, device=loss.device)
        self.loss_sum.update((loss * weights).sum())
        self.images.update(weights.sum())
        if len(self.of_probabilities):
            self.of_probabilities.update(outputs.softmax(dim=1), labels)
            outputs = outputs.argmax(dim=1)
        self.of_labels.update(outputs, labels)

    def compute(self, class_names: Sequence[str]) -> dict[str, Tensor]:
        """Every metric by its name in TensorBoard, over all processes; counting starts anew.

        What cannot be computed from so few images is left out.
        """
        values = {"loss": self.loss_sum.compute() / self.images.compute()}
        for name, value in (_computable(self.of_labels) | _computable(self.of_probabilities)).items():
            each = value.flatten()
            if name.endswith(BY_CLASS):
                stem = name.removesuffix(BY_CLASS)
                values |= {f"{stem}_{of}": one for of, one in zip(class_names, each, strict=True)}
            else:
                values[name] = each[0]
        for counted in (self.loss_sum, self.images, self.of_labels, self.of_probabilities):
            counted.reset()
        return {f"{self.stage}/{name}": value for name, value in values.items()}


def by_input(metrics: Metrics, num_classes: int) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """Part metrics into those of predicted labels and those of probabilities; each is tried on two images.

    Raises:
        UsageError: a metric takes neither, or gives something else than one number, or one for each class where its
            name ends in `BY_CLASS`.
    """
    labels = torch.tensor([0, num_classes - 1])
    probabilities = torch.zeros(2, num_classes).scatter_(1, labels[:, None], 1.0).softmax(dim=1)
    parts: tuple[dict[str, Metric], dict[str, Metric]] = {}, {}
    for name, metric in metrics.items():
        failed = ""
        for inputs, part in zip((labels, probabilities), parts, strict=True):
            try:
                _check_value(name, _computed(metric.clone(), inputs, labels), num_classes)
            except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
                failed = first_line(error)
            else:
                part[name] = metric
                break
        else:
            raise UsageError(f"metrics.{name}: it takes neither predicted labels nor probabilities: {failed}")
        if hasattr(metric, "validate_args"):
            metric.validate_args = False  # it would wait for the device in each step
    return parts


def _collection(stage: Stage, metrics: Metrics) -> MetricCollection:
    return MetricCollection(
        {name: metric.clone() for name, metric in metrics.items() if stage == "test" or not name.endswith(BY_CLASS)}
    )


def _computable(metrics: MetricCollection) -> dict[str, Tensor]:
    """Values by name, without those that so few images do not give, as R^2 of a single one."""
    values = {}
    for name, metric in metrics.items():
        with suppress(ValueError):
            values[name] = metric.compute()
    return values


def _computed(metric: Metric, inputs: Tensor, labels: Tensor) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without images
        metric.update(inputs, labels)
        return metric.compute()


def _check_value(name: str, value: object, num_classes: int) -> None:
    expected = num_classes if name.endswith(BY_CLASS) else 1
    if isinstance(value, Tensor) and value.numel() == expected:
        return
    found = f"{value.numel()} numbers" if isinstance(value, Tensor) else type(value).__name__
    hint = "" if name.endswith(BY_CLASS) else f", or one for each class under a name such as {name}{BY_CLASS}"
    raise UsageError(f"metrics.{name}: it gives {found}, expected {expected}{hint}")
