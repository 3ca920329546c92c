"""Evaluate classifiers on a data set: metrics, robustness, comparison, a look inside."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from digitrec.data.datasets import Split
from digitrec.data.labels import NO_DIGIT
from digitrec.errors import UsageError
from digitrec.evaluation.comparison import paired_test
from digitrec.evaluation.evaluation import Evaluation, Robustness
from digitrec.evaluation.insight import look_inside
from digitrec.evaluation.intervals import grouped_interval
from digitrec.evaluation.metrics import summarise
from digitrec.evaluation.perturbations import PERTURBATIONS
from digitrec.evaluation.predictions import Predictions, evenly, predict
from digitrec.evaluation.progress import busy, steps
from digitrec.evaluation.views import TestTimeAugmentation
from digitrec.models.classifier import DigitClassifier


def evaluate(
    classifiers: Sequence[DigitClassifier],
    splits: Mapping[str, Split],
    *,
    stage: str = "test",
    readers: Tensor | None = None,
    writers: Tensor | None = None,
    tta: TestTimeAugmentation | None = None,
    robustness_images: int = 2000,
    precision: str = "32-true",
    other: tuple[str, DigitClassifier] | None = None,
    history: Sequence[Mapping[str, float]] = (),
    title: str = "",
    facts: Mapping[str, str] = {},
) -> Evaluation:
    """Evaluate one classifier, or the mean of several, on one split.

    Args:
        classifiers: with the same classes.
        splits: of one data set, by name; all are counted, `stage` is evaluated. Images of no digit are left out.
        stage: name of a split.
        readers: (N,) int64, index of the one classifier that reads each image, as in cross-validation; None: all do.
        writers: (N,) int64, number of the writer of each image; None: they are not known.
        tta: test-time augmentation.
        robustness_images: how many images are changed in every way and strength; 0 leaves that out.
        precision: of the predictions, 32-true or bf16-mixed.
        other: name of another classifier to compare with on the same images, and the classifier.
        history: one row of metrics per epoch of the training, for the curves.
        title: of the report.
        facts: for the report.

    Raises:
        UsageError: the classifiers differ in their classes, or the split is empty.
    """
    _check_classes([*classifiers, *([other[1]] if other else [])])
    splits = {name: _digits(part) for name, part in splits.items()}
    split = splits[stage]
    if not len(split.labels):
        raise UsageError(f"there are no {stage} images: the data hold none out (data.val_size=0)")
    predictions = replace(predict(classifiers, split, tta, readers=readers, precision=precision), writers=writers)
    num_classes = len(predictions.class_names)
    robustness = measure_robustness(classifiers, split, robustness_images, tta, precision, readers)
    comparison = None
    if other:
        other_predictions = predict([other[1]], split, tta, precision=precision, task="Comparing")
        comparison = paired_test(predictions.correct, other[0], other_predictions.correct)
    with busy("Looking inside the network"):
        insight = look_inside(classifiers[0], split.images.cpu(), predictions)
    return Evaluation(
        title=title or f"{classifiers[0].network_name}, {stage} images",
        facts=facts,
        images=split.images.cpu(),
        predictions=predictions,
        metrics={
            **summarise(predictions.probabilities, predictions.labels, predictions.class_names),
            **by_writer(predictions),
        },
        class_counts={
            name: torch.bincount(part.labels.cpu(), minlength=num_classes)
            for name, part in splits.items()
            if len(part.labels)
        },
        history=history,
        robustness=robustness,
        insight=insight,
        comparison=comparison,
    )


def _digits(split: Split) -> Split:
    kept = split.labels != NO_DIGIT
    return split if kept.all() else Split(split.images[kept], split.labels[kept])


def by_writer(predictions: Predictions) -> dict[str, float]:
    """Number of writers, and the 95 % interval of accuracy where an image is not independent of its writer's others."""
    if predictions.writers is None:
        return {}
    low, high = grouped_interval(predictions.correct.numpy(), predictions.writers.numpy())
    return {
        "writers": len(predictions.writers.unique()),
        "accuracy_by_writer_low": low,
        "accuracy_by_writer_high": high,
    }


def _check_classes(classifiers: Sequence[DigitClassifier]) -> None:
    different = {", ".join(classifier.class_names): None for classifier in classifiers}
    if len(different) > 1:
        raise UsageError(f"the checkpoints have different classes: {' and '.join(different)}")


def measure_robustness(
    classifiers: Sequence[DigitClassifier],
    split: Split,
    count: int,
    tta: TestTimeAugmentation | None = None,
    precision: str = "32-true",
    readers: Tensor | None = None,
) -> list[Robustness]:
    """Accuracy on `count` images, spread evenly over the split, under every change at every strength."""
    if not count:
        return []
    chosen = evenly(len(split.images), count)
    images, labels = split.images[chosen].float() / 255, split.labels[chosen]
    chosen_readers = None if readers is None else readers[chosen]

    def accuracy(changed: Tensor) -> float:
        part = Split(changed, labels)
        predictions = predict(classifiers, part, tta, readers=chosen_readers, precision=precision, task="")
        return predictions.correct.float().mean().item()

    unchanged, results = accuracy(images), []
    for name, change in steps(list(PERTURBATIONS.items()), "Changing images"):
        draws = torch.Generator()
        accuracies = [accuracy(change.apply(images, strength, draws.manual_seed(0))) for strength in change.strengths]
        results.append(Robustness(name, change.unit, change.strengths, accuracies, unchanged))
    return results


def describe(record: Mapping[str, Any]) -> dict[str, str]:
    """Where the figures of a report come from, out of the content of run.json."""
    images = f"{record.get('part') or record['split']} images"
    tta = ", ".join(f"{name} {value:g}" for name, value in record.get("views", {}).items())
    facts = {
        "Checkpoint": "\n".join(record["checkpoints"]),
        "Network": f"{record['model']}, {record['parameters']:,} parameters",
        "Data": f"{record['data']}, {images}; checksum of the training files {record['data_checksum']}",
        "Test-time augmentation": tta or "none",
        "Device": f"{record['device']}, {record['precision']}",
        "Command": record["command"],
        "Code": record["git_revision"] or "no git checkout",
        "Versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        "Date": record["start"],
    }
    return {name: str(value) for name, value in facts.items()}
