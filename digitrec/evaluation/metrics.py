"""How good predictions are: pure functions of labels (N,), predicted labels (N,) and probabilities (N, C).

What scikit-learn and scipy have comes from them; here is the rest. Labels count from 0. They are imported where they
are used: a training without a report does not wait the second that they take.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from digitrec.evaluation.intervals import wilson_interval as wilson_interval


class ClassScores(NamedTuple):
    """Scores of each class, 0 where they are undefined.

    Attributes:
        precision: (C,) float64, share of the images predicted as this class that belong to it.
        recall: (C,) float64, share of the images of this class that are predicted as it.
        f1: (C,) float64, harmonic mean of the two.
        support: (C,) int64, images of the class.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


@dataclass(frozen=True)
class Reliability:
    """Predictions sorted by confidence into bins of equal width between 0 and 1; a bin includes its upper end.

    Attributes:
        confidence: (bins,) float64, mean probability of the predicted class; 0 in an empty bin.
        accuracy: (bins,) float64, share of correct predictions; 0 in an empty bin.
        count: (bins,) int64, predictions.
    """

    confidence: Tensor
    accuracy: Tensor
    count: Tensor


def class_scores(labels: Tensor, predictions: Tensor, num_classes: int) -> ClassScores:
    """Precision, recall, F1 and number of images of each class."""
    from sklearn.metrics import precision_recall_fscore_support

    classes = range(num_classes)
    scores = precision_recall_fscore_support(labels.numpy(), predictions.numpy(), labels=classes, zero_division=0)
    return ClassScores(*scores)


def top_k_accuracy(probabilities: Tensor, labels: Tensor, k: int) -> float:
    """Share of images whose label is among the `k` most probable classes.

    Of equal probabilities the first class counts as more probable, as argmax has it; scikit-learn takes the last.
    """
    best = probabilities.argsort(dim=1, descending=True, stable=True)[:, :k]
    return (best == labels[:, None]).any(dim=1).double().mean().item()


def log_loss(probabilities: Tensor, labels: Tensor) -> float:
    """Cross-entropy in nats, the mean of -log p of the true class.

    A probability of 0 counts as the smallest normal number of its type, 1.2e-38 in float32, because softmax rounds
    small ones to 0. scikit-learn clips at 1.2e-7 and so bounds the loss of a mistake at 16.
    """
    clipped = probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny)
    return F.nll_loss(clipped.double().log(), labels.long()).item()


def r2_score(labels: Tensor, predictions: Tensor) -> float:
    """Coefficient of determination of labels taken as numbers; of a single image 1 if it is read right, else 0."""
    from sklearn.metrics import r2_score

    return float(r2_score(labels.numpy(), predictions.numpy()) if len(labels) > 1 else labels.equal(predictions))


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Confidence against accuracy, in bins (i / bins, (i + 1) / bins] (Guo et al., 2017, section 2)."""
    if bins < 1:
        raise ValueError(f"expected at least one bin, got {bins}")
    confidence, predicted = probabilities.double().max(dim=1)
    inner = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=confidence.device)[1:-1]
    place = torch.bucketize(confidence, inner)
    count = torch.bincount(place, minlength=bins)
    right = (predicted == labels).double()
    return Reliability(
        confidence=_share(torch.bincount(place, confidence, minlength=bins), count),
        accuracy=_share(torch.bincount(place, right, minlength=bins), count),
        count=count,
    )


def calibration_error(found: Reliability) -> float:
    """Mean distance between confidence and accuracy over predictions: ECE (Guo et al., 2017, eq. 3)."""
    gaps = (found.confidence - found.accuracy).abs()
    return ((gaps * found.count).sum() / found.count.sum()).item()


def summarise(probabilities: Tensor, labels: Tensor, class_names: Sequence[str]) -> dict[str, float]:
    """Every number of a set of predictions by its flat name.

    `accuracy` comes with the ends of its 95 % interval, `accuracy_low` and `accuracy_high`; `balanced_accuracy` is the
    mean recall of the classes that have images, `worst_class_accuracy` the lowest; `precision`, `recall` and `f1` are
    means over the classes that occur as a label or a prediction, and follow for each class by its name.

    Args:
        probabilities: (N, C), rows sum to 1, C >= 2.
        labels: (N,) integers.
        class_names: one per class.
    """
    _check_probabilities(probabilities, labels)
    num_classes = probabilities.shape[1]
    if not 2 <= num_classes == len(class_names):
        raise ValueError(
            f"expected one name for each of at least 2 classes, got {len(class_names)} names and {num_classes} classes"
        )
    predictions = probabilities.argmax(dim=1)
    correct = int((predictions == labels).sum())
    low, high = wilson_interval(correct, len(labels))
    by_class = class_scores(labels, predictions, num_classes)._asdict()
    support = by_class.pop("support")
    occurs = (support > 0) | (torch.bincount(predictions, minlength=num_classes) > 0).numpy()
    return {
        "accuracy": correct / len(labels),
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": float(by_class["recall"][support > 0].mean()),
        "worst_class_accuracy": float(by_class["recall"][support > 0].min()),
        "loss": log_loss(probabilities, labels),
        "top2_accuracy": top_k_accuracy(probabilities, labels, 2),
        **{name: float(values[occurs].mean()) for name, values in by_class.items()},
        "r2": r2_score(labels, predictions),
        "calibration_error": calibration_error(reliability(probabilities, labels)),
        **{
            f"{name}_{class_name}": value
            for name, values in by_class.items()
            for class_name, value in zip(class_names, values.tolist(), strict=True)
        },
    }


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Quotients in float64, 0 where `whole` is 0."""
    return part.double() / whole.double().clamp(min=1)


def _check_probabilities(probabilities: Tensor, labels: Tensor) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not probabilities.numel():
        raise ValueError(
            "expected probabilities (N, C) and labels (N,), N >= 1, "
            f"got {tuple(probabilities.shape)} and {tuple(labels.shape)}"
        )
    low, high = (int(end) for end in labels.aminmax())
    if low < 0 or high >= probabilities.shape[1]:
        raise ValueError(f"expected labels from 0 to {probabilities.shape[1] - 1}, got some from {low} to {high}")
    sums = probabilities.double().sum(dim=1)
    if not ((sums - 1).abs() < 1e-3).all() or (probabilities < 0).any():
        raise ValueError(
            f"expected probabilities of at least 0 that sum to 1, got sums from {sums.min():.4g} to {sums.max():.4g} "
            f"and a smallest value of {probabilities.min():.4g}"
        )
