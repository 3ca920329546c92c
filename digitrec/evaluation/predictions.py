"""Predictions of classifiers on a split, image by image."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from digitrec.data.datasets import Split
from digitrec.errors import DigitrecError
from digitrec.evaluation.intervals import wilson_interval
from digitrec.evaluation.metrics import ClassScores, class_scores
from digitrec.evaluation.progress import steps
from digitrec.models.classifier import DigitClassifier
from digitrec.system.files import read_text
from digitrec.weights import BATCH


class WriterScore(NamedTuple):
    """How many images of a writer there are, and how many of them were read right."""

    writer: int
    images: int
    right: int


@dataclass(frozen=True)
class Predictions:
    """Labels and probabilities of one split, in its order.

    Attributes:
        labels: (N,) int64.
        probabilities: (N, C) float32, rows sum to 1.
        class_names: one per class.
        writers: (N,) int64, number of the writer of each image; None where they are not known.
    """

    labels: Tensor
    probabilities: Tensor
    class_names: tuple[str, ...]
    writers: Tensor | None = None

    @property
    def predicted(self) -> Tensor:
        """Most probable class of each image, (N,) int64."""
        return self.probabilities.argmax(dim=1)

    @property
    def correct(self) -> Tensor:
        """Whether that is the label, (N,) bool."""
        return self.predicted == self.labels

    @property
    def mistakes(self) -> Tensor:
        """Indices of the images read wrong, (M,) int64, those that gave their label the least probability first."""
        given = self.probabilities.gather(1, self.labels[:, None])[:, 0]
        wrong = (~self.correct).nonzero()[:, 0]
        return wrong[given[wrong].argsort(stable=True)]

    @property
    def by_writer(self) -> list[WriterScore]:
        """Images of each writer, the worst first: by the upper end of the interval of the share read right."""
        if self.writers is None:
            return []
        numbers, place = self.writers.unique(return_inverse=True)
        images = place.bincount().tolist()
        right = place[self.correct].bincount(minlength=len(numbers)).tolist()
        found = [WriterScore(*one) for one in zip(numbers.tolist(), images, right, strict=True)]
        return sorted(found, key=lambda one: (wilson_interval(one.right, one.images)[1], one.writer))

    @property
    def confusion(self) -> Tensor:
        """Images of each class (row) by the class they were read as (column), (C, C) int64."""
        from sklearn.metrics import confusion_matrix

        classes = range(len(self.class_names))
        return torch.from_numpy(confusion_matrix(self.labels.numpy(), self.predicted.numpy(), labels=classes))

    @property
    def class_scores(self) -> ClassScores:
        """Precision, recall, F1 and number of images of each class."""
        return class_scores(self.labels, self.predicted, len(self.class_names))


def predict(
    classifiers: Sequence[DigitClassifier],
    split: Split,
    views: Callable[[Tensor], Sequence[Tensor]] | None = None,
    *,
    readers: Tensor | None = None,
    precision: str = "32-true",
    task: str = "Predicting",
) -> Predictions:
    """Mean of the probabilities that several classifiers give to several views of each image.

    Args:
        classifiers: with the same classes, on one device; left in evaluation mode.
        readers: (N,) int64, index of the one classifier that reads each image; None: all of them do.
        split: images (N, C, H, W), uint8 or float in [0, 1], and labels (N,).
        views: images -> versions of them to average over; None takes the images alone.
        precision: Lightning's name of it, 32-true or bf16-mixed.
        task: title of the progress bar; empty for no bar.

    Raises:
        DigitrecError: a probability is not finite.
    """
    if readers is not None:
        found = torch.empty(len(readers), len(classifiers[0].class_names))
        for index, classifier in enumerate(classifiers):
            mine = (readers == index).nonzero()[:, 0]
            part = Split(split.images[mine], split.labels[mine])
            found[mine] = predict([classifier], part, views, precision=precision, task=task).probabilities
        return Predictions(split.labels.cpu(), found, classifiers[0].class_names)
    device = classifiers[0].device
    probabilities = []
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")
    with torch.inference_mode(), mixed:
        for images in steps(split.images.split(BATCH), task):
            seen = views(images.to(device)) if views else [images.to(device)]
            parts = [classifier.eval()(view).float().softmax(dim=1) for view in seen for classifier in classifiers]
            probabilities.append(torch.stack(parts).mean(dim=0).cpu())
    found = torch.cat(probabilities)
    if not found.isfinite().all():
        raise DigitrecError("the network's output is not finite for some images, nor are its weights; train it again")
    return Predictions(split.labels.cpu(), found, classifiers[0].class_names)


def evenly(size: int, count: int) -> Tensor:
    """At most `count` indices spread evenly over `size`, rising, (M,) int64.

    Not the first ones: the first half of MNIST's test images is known to be the easier half.
    """
    return torch.arange(min(size, count)) * size // max(1, min(size, count))


def write_csv(predictions: Predictions, file: Path) -> None:
    """One line per image: index, label, prediction by class name, every class's probability, and a known writer."""
    names, by_image = predictions.class_names, predictions.writers
    known = [] if by_image is None else [by_image.tolist()]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        probability_columns = (f"p_{name}" for name in names)
        writer.writerow(["index", "label", "prediction", *probability_columns, *["writer"] * len(known)])
        columns = predictions.labels, predictions.predicted, predictions.probabilities
        rows = zip(*(column.tolist() for column in columns), *known, strict=True)
        for index, (label, prediction, row, *of) in enumerate(rows):
            writer.writerow([index, names[label], names[prediction], *(f"{value:.6f}" for value in row), *of])


def read_csv(file: Path) -> tuple[list[str], Tensor]:
    """Labels by class name of the images in a predictions.csv, and whether each was read right, (N,) bool.

    Raises:
        DigitrecError: the file is no predictions.csv.
    """
    try:
        table = csv.DictReader(io.StringIO(read_text(file), newline=""))
        rows = [(row["label"], row["prediction"]) for row in table]
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DigitrecError(f"{file}: cannot be read as predictions: {error!r}") from error
    return [label for label, _ in rows], torch.tensor([label == read for label, read in rows], dtype=torch.bool)
