"""How good predictions are: pure functions of labels (N,), predicted labels (N,) and probabilities (N, C).

Labels count from 0. Sums are done in double precision. Every function raises ValueError when there is nothing to
count, when shapes disagree, and when a label or a probability is none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class, 0 where a class gives no ground for one.

    Attributes:
        precision: (C,) float64, share of the images called this class that are of it.
        recall: (C,) float64, share of the images of this class that are called it.
        f1: (C,) float64, harmonic mean of the two.
        support: (C,) int64, images of the class.
    """

    precision: Tensor
    recall: Tensor
    f1: Tensor
    support: Tensor


@dataclass(frozen=True)
class Reliability:
    """Predictions sorted by their probability into bins of equal width between 0 and 1, each with its upper end.

    Attributes:
        confidence: (bins,) float64, mean probability of the predicted class; 0 in an empty bin.
        accuracy: (bins,) float64, share of right predictions; 0 in an empty bin.
        count: (bins,) int64, predictions.
    """

    confidence: Tensor
    accuracy: Tensor
    count: Tensor


@dataclass(frozen=True)
class Curve:
    """Precision and recall of "score >= threshold", for T different scores.

    Attributes:
        precision: (T + 1,) float64; the last is 1 by convention.
        recall: (T + 1,) float64, falling; the last is 0.
        thresholds: (T,), rising.
    """

    precision: Tensor
    recall: Tensor
    thresholds: Tensor


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two classifiers on the same images.

    Attributes:
        only_a: images that only the first one reads right.
        only_b: images that only the second one reads right.
        p_value: chance of a difference at least as large between classifiers that are equally good.
    """

    only_a: int
    only_b: int
    p_value: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share, given that many successes (Wilson, 1927); stays within [0, 1].

    Raises:
        ValueError: not 0 <= successes <= trials, no trials, or a confidence outside (0, 1).
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 <= successes <= trials and trials >= 1, got {successes} of {trials}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return _wilson_low(successes, trials, z), 1 - _wilson_low(trials - successes, trials, z)


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """How often a class (row) is called which class (column), (C, C) int64."""
    _check_paired("labels", labels, "predictions", predictions)
    _check_classes("labels", labels, num_classes)
    _check_classes("predictions", predictions, num_classes)
    cells = torch.bincount(labels.long() * num_classes + predictions.long(), minlength=num_classes**2)
    return cells.view(num_classes, num_classes)


def class_scores(confusion: Tensor) -> ClassScores:
    """Precision, recall and F1 of each class, from a confusion matrix (C, C)."""
    right, called, support = confusion.diagonal(), confusion.sum(dim=0), confusion.sum(dim=1)
    return ClassScores(_share(right, called), _share(right, support), _share(2 * right, called + support), support)


def top_k_accuracy(probabilities: Tensor, labels: Tensor, k: int) -> float:
    """Share of images whose label is among the `k` most probable classes; of equals, the first class goes first.

    Raises:
        ValueError: also when `k` is not in 1..C.
    """
    _check_probabilities(probabilities, labels)
    num_classes = probabilities.shape[1]
    if not 1 <= k <= num_classes:
        raise ValueError(f"expected k from 1 to {num_classes}, the number of classes, got {k}")
    best = probabilities.argsort(dim=1, descending=True, stable=True)[:, :k]
    return (best == labels[:, None]).any(dim=1).double().mean().item()


def log_loss(probabilities: Tensor, labels: Tensor) -> float:
    """Mean of -log p of the true class: the cross-entropy, in nats.

    A probability of 0 counts as the smallest normal number of its type, 1.2e-38 in float32: what softmax rounds to 0
    is no proof of impossibility.
    """
    _check_probabilities(probabilities, labels)
    true = probabilities.gather(1, labels.long()[:, None])
    return -true.clamp(min=torch.finfo(true.dtype).tiny).double().log().mean().item()


def r2_score(labels: Tensor, predictions: Tensor) -> float:
    """Coefficient of determination of labels taken as numbers; 1 is perfect, the mean label would score 0.

    Where all labels are the same it is 1 if the predictions are too, and 0 otherwise.
    """
    _check_paired("labels", labels, "predictions", predictions)
    true = labels.double()
    left = (true - predictions).square().sum().item()
    total = (true - true.mean()).square().sum().item()
    return 1 - left / total if total else float(left == 0)


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Confidence against accuracy, in bins (i / bins, (i + 1) / bins] (Guo et al., 2017, section 2)."""
    _check_probabilities(probabilities, labels)
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


def precision_recall_curve(scores: Tensor, positives: Tensor) -> Curve:
    """How a class is told from the others as the threshold rises over every score.

    Args:
        scores: (N,), high for the class.
        positives: (N,) bool, the images of the class; without any, recall is 1 at every threshold.
    """
    _check_paired("scores", scores, "positives", positives)
    thresholds, order = scores.sort(descending=True)
    ends = torch.cat([thresholds[1:] != thresholds[:-1], torch.ones_like(positives[:1])]).nonzero().flatten()
    found = positives[order].cumsum(dim=0)[ends]
    precision = _share(found, ends + 1)
    recall = _share(found, found[-1]) if found[-1] else torch.ones_like(precision)
    return Curve(
        precision=torch.cat([precision.flip(0), precision.new_ones(1)]),
        recall=torch.cat([recall.flip(0), recall.new_zeros(1)]),
        thresholds=thresholds[ends].flip(0),
    )


def average_precision(curve: Curve) -> float:
    """Mean precision over the gains in recall, without interpolation: the area under the curve's steps."""
    return -(curve.recall.diff() * curve.precision[:-1]).sum().item()


def mcnemar(correct_a: Tensor, correct_b: Tensor) -> McNemar:
    """Test whether two classifiers are equally good on the same images (McNemar, 1947; exact and two-sided).

    Args:
        correct_a: (N,) bool, what the first one reads right.
        correct_b: (N,) bool, what the second one reads right.
    """
    only_a, only_b = _discordant(correct_a, correct_b)
    return McNemar(only_a, only_b, min(1.0, 2 * _fair_coin(min(only_a, only_b), only_a + only_b)))


def difference_interval(correct_a: Tensor, correct_b: Tensor) -> tuple[float, float, float]:
    """Accuracy of the first minus that of the second classifier, with the lower and upper end of its 95 % interval.

    The images are the same, so only those count that one of the two reads wrong; one more of each kind keeps the
    interval honest when there are few (Bonett and Price, 2012).

    Args:
        correct_a: (N,) bool, what the first one reads right.
        correct_b: (N,) bool, what the second one reads right.
    """
    only_a, only_b = _discordant(correct_a, correct_b)
    size = len(correct_a) + 2
    gain, loss = (only_a + 1) / size, (only_b + 1) / size
    margin = NormalDist().inv_cdf(0.975) * math.sqrt((gain + loss - (gain - loss) ** 2) / size)
    return (only_a - only_b) / len(correct_a), max(gain - loss - margin, -1.0), min(gain - loss + margin, 1.0)


def summarise(probabilities: Tensor, labels: Tensor, class_names: Sequence[str]) -> dict[str, float]:
    """Every number of a set of predictions by its flat name.

    `accuracy` comes with the ends of its 95 % interval, `accuracy_low` and `accuracy_high`; `precision`, `recall` and
    `f1` are means over the classes that occur as a label or a prediction, and follow for each class by its name.

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
    confusion = confusion_matrix(labels, predictions, num_classes)
    scores = class_scores(confusion)
    right = int(confusion.trace())
    low, high = wilson_interval(right, len(labels))
    by_class = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
    occurs = (confusion.sum(dim=0) + confusion.sum(dim=1)) > 0
    return {
        "accuracy": right / len(labels),
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": log_loss(probabilities, labels),
        "top2_accuracy": top_k_accuracy(probabilities, labels, 2),
        **{name: values[occurs].mean().item() for name, values in by_class.items()},
        "r2": r2_score(labels, predictions),
        "calibration_error": calibration_error(reliability(probabilities, labels)),
        **{
            f"{name}_{class_name}": value
            for name, values in by_class.items()
            for class_name, value in zip(class_names, values.tolist(), strict=True)
        },
    }


def _wilson_low(successes: int, trials: int, z: float) -> float:
    """Smaller root p of (p - successes / trials)^2 = z^2 p (1 - p) / trials; exactly 0 at no successes."""
    margin = z * math.sqrt(successes * (trials - successes) / trials + z * z / 4)
    return (successes + z * z / 2 - margin) / (trials + z * z)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Shares of counts in float64, 0 where there is nothing to share."""
    return part.double() / whole.double().clamp(min=1)


def _fair_coin(most: int, tosses: int) -> float:
    """Chance of at most that many heads in so many tosses, from whole numbers of any size."""
    ways = total = 1
    for heads in range(most):
        ways = ways * (tosses - heads) // (heads + 1)
        total += ways
    return total / (1 << tosses)


def _discordant(correct_a: Tensor, correct_b: Tensor) -> tuple[int, int]:
    """How many images only the first, and only the second classifier reads right."""
    _check_paired("correct_a", correct_a, "correct_b", correct_b)
    return int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())


def _check_paired(name: str, values: Tensor, other_name: str, others: Tensor) -> None:
    if values.shape != others.shape or values.ndim != 1 or not len(values):
        raise ValueError(
            f"expected {name} and {other_name} of one shape (N,), N >= 1, "
            f"got {tuple(values.shape)} and {tuple(others.shape)}"
        )


def _check_classes(name: str, values: Tensor, num_classes: int) -> None:
    low, high = (int(end) for end in values.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(f"expected {name} from 0 to {num_classes - 1}, got some from {low} to {high}")


def _check_probabilities(probabilities: Tensor, labels: Tensor) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not probabilities.numel():
        raise ValueError(
            "expected probabilities (N, C) and labels (N,), N >= 1, "
            f"got {tuple(probabilities.shape)} and {tuple(labels.shape)}"
        )
    _check_classes("labels", labels, probabilities.shape[1])
    sums = probabilities.double().sum(dim=1)
    if not ((sums - 1).abs() < 1e-3).all() or (probabilities < 0).any():
        raise ValueError(
            f"expected probabilities of at least 0 that sum to 1, got sums from {sums.min():.4g} to {sums.max():.4g} "
            f"and a smallest value of {probabilities.min():.4g}"
        )
