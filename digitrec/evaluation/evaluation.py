"""The numbers and tensors behind a report on classifiers and a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from digitrec.evaluation.comparison import Comparison
from digitrec.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Robustness:
    """Accuracy when images are changed in one way, more and more.

    Attributes:
        name: of the change, such as "rotation".
        unit: of its strength, such as "degrees".
        strengths: rising from barely visible.
        accuracies: one per strength, in [0, 1].
        unchanged: accuracy on the same images as they are.
    """

    name: str
    unit: str
    strengths: Sequence[float]
    accuracies: Sequence[float]
    unchanged: float


@dataclass(frozen=True)
class Insight:
    """A look inside the first classifier.

    Attributes:
        normalised: (K, 1, H, W) float, the first K images of the split as the network sees them.
        filters: (F, C, h, w) float, the kernels of the first convolution (or, for a dense first layer, its weights
            as images); None where there are no such weights.
        attributed: (A,) int64, indices of images whose decision is explained.
        attributions: (A, 1, H, W) float, contribution of each pixel to the predicted class, negative if against it.
        embedded: (M,) int64, indices of images that are embedded.
        features: (M, D) float, what the last layer gets of them.
        embedding: (M, 2) float, the features laid out in the plane.
    """

    normalised: Tensor
    filters: Tensor | None
    attributed: Tensor
    attributions: Tensor
    embedded: Tensor
    features: Tensor
    embedding: Tensor


@dataclass(frozen=True)
class Evaluation:
    """What a report shows.

    Attributes:
        title: such as "CNN on mnist".
        facts: checkpoint, data, checksum, parameters, versions and so on; shown as a table.
        images: (N, 1, H, W) uint8, the split in its order.
        predictions: of these images.
        metrics: flat names as `metrics.summarise` gives them: accuracy, accuracy_low, f1_<class>, ...
        class_counts: images per class (C,) of each split that could be read: train, val, test.
        history: one row of metrics per epoch of the training (`epoch`, `train/loss`, `val/accuracy`, `lr`, ...);
            empty when unknown.
        robustness: one per kind of change; empty when left out.
        insight: a look inside.
        comparison: with another model, if asked for.
    """

    title: str
    facts: Mapping[str, str]
    images: Tensor
    predictions: Predictions
    metrics: Mapping[str, float]
    class_counts: Mapping[str, Tensor]
    history: Sequence[Mapping[str, float]]
    robustness: Sequence[Robustness]
    insight: Insight
    comparison: Comparison | None = None

    @property
    def worst_class(self) -> str:
        """Name of the class, among those that have images, of which the smallest share is read right."""
        scores = self.predictions.class_scores
        present = [label for label, images in enumerate(scores.support.tolist()) if images]
        return self.predictions.class_names[min(present, key=lambda label: scores.recall[label])]
