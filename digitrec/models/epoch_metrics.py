"""Metrics of training, validation and test."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection, R2Score, SumMetric
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

Stage = Literal["train", "val", "test"]


class StageMetrics(nn.Module):
    """Loss and metrics of one stage, added up over batches and processes.

    Precision, recall and F1 are means over classes; R^2 takes the predicted digit as a number and shows how
    far off the wrong ones are. `test` also has F1 of each class.
    """

    def __init__(self, stage: Stage, num_classes: int) -> None:
        super().__init__()
        quick: dict[str, Any] = {"num_classes": num_classes, "validate_args": False}
        metrics: dict[str, Any] = {
            "accuracy": MulticlassAccuracy(average="micro", **quick),
            "precision": MulticlassPrecision(**quick),
            "recall": MulticlassRecall(**quick),
            "f1": MulticlassF1Score(**quick),
            "r2": R2Score(),
        }
        if stage == "test":
            metrics["f1_by_class"] = MulticlassF1Score(average="none", **quick)
        self.stage = stage
        # Two sums instead of a MeanMetric, which skips NaN, or with that disabled ignores the weights.
        self.loss_sum = SumMetric(nan_strategy="disable")
        self.images = SumMetric(nan_strategy="disable")
        self.metrics = MetricCollection(metrics)

    @property
    def names(self) -> list[str]:
        """Names under which `compute` reports, those of single classes left out."""
        return [f"{self.stage}/{name}" for name in ("loss", *self.metrics) if name != "f1_by_class"]

    def update(self, loss: Tensor, predictions: Tensor, labels: Tensor, weight: Tensor | int) -> None:
        """Count predicted labels (N,) against labels (N,), and mean losses (K,) of `weight` (K,) images each."""
        weights = torch.as_tensor(weight, device=loss.device)
        self.loss_sum.update((loss * weights).sum())
        self.images.update(weights.sum())
        self.metrics.update(predictions, labels)

    def compute(self, class_names: Sequence[str]) -> dict[str, Tensor]:
        """Every metric by its name in TensorBoard, over all processes; counting starts anew."""
        values = {"loss": self.loss_sum.compute() / self.images.compute(), **self.metrics.compute()}
        by_class = values.pop("f1_by_class", ())
        values |= {f"f1_{name}": f1 for name, f1 in zip(class_names, by_class, strict=False)}
        for counter in (self.loss_sum, self.images, self.metrics):
            counter.reset()
        return {f"{self.stage}/{name}": value for name, value in values.items()}
