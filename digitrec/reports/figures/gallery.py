"""The figures of a report: their order, titles, captions, and what each one draws."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from digitrec.evaluation.evaluation import Evaluation
from digitrec.reports.figures import classes, comparison, curves, digits
from digitrec.reports.figures.style import DARK, LIGHT, Theme


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the report.

    Attributes:
        section: heading that it stands under.
        title: its own heading.
        caption: how to read it.
        draw: evaluation and theme -> figure; None where there is nothing to draw.
    """

    section: str
    title: str
    caption: str
    draw: Callable[[Evaluation, Theme], Figure | None]


FIGURES = {
    "answers": FigureSpec(
        "Predictions",
        "Right and wrong predictions",
        "Green with a tick: right, with the probability of the predicted class. Red with a cross: wrong, "
        "with the label below. Taken at equal distances through the split, mistakes more often than they occur.",
        lambda e, theme: digits.examples(e.images, e.predictions, theme),
    ),
    "worst_errors": FigureSpec(
        "Predictions",
        "Worst mistakes",
        "The mistakes that gave the label the least probability, each with the two most probable classes. "
        "Some of these labels are unclear to people, too. # is the image's index in predictions.csv.",
        lambda e, theme: digits.worst_errors(e.images, e.predictions, theme),
    ),
    "worst_writers": FigureSpec(
        "Predictions",
        "Writers that are read worst",
        "Mistakes of the writers who are read worst; at the left how much of how many images, "
        "below each image what it was read as.",
        lambda e, theme: digits.worst_writers(e.images, e.predictions, theme),
    ),
    "confusion_counts": FigureSpec(
        "Classes",
        "Confusion matrix",
        "Each row holds the images of one label, each column what they were read as. On the diagonal is what is right; "
        "elsewhere the warmer a cell, the more often that mistake was made.",
        lambda e, theme: classes.confusion_counts(e.predictions, theme),
    ),
    "confusion_shares": FigureSpec(
        "Classes",
        "Confusion matrix, in percent of each label",
        "The same, but each row adds up to 100 percent, so that rare classes compare with frequent ones.",
        lambda e, theme: classes.confusion_shares(e.predictions, theme),
    ),
    "class_scores": FigureSpec(
        "Classes",
        "Precision, recall and F1 of each class",
        "Precision: the share of this class's predictions that are right. Recall: the share of its images that are "
        "found. F1: their harmonic mean. The lowest of each is orange.",
        lambda e, theme: classes.scores(e.predictions, theme),
    ),
    "precision_recall": FigureSpec(
        "Classes",
        "Precision over recall",
        "Predictions count only above a threshold on their probability: the nearer a curve to the upper "
        "right corner, the better. The classes with the lowest area below the curve are named.",
        lambda e, theme: curves.precision_recall(e.predictions, theme),
    ),
    "calibration": FigureSpec(
        "Calibration and robustness",
        "Calibration",
        "Images are sorted into bins by the probability of the predicted class. On the dotted line, 90 percent of the "
        "predictions at 90 percent are right; above it the model is underconfident, below it overconfident. "
        "The lower part counts images, on a logarithmic scale.",
        lambda e, theme: curves.calibration(e.predictions, theme),
    ),
    "robustness": FigureSpec(
        "Calibration and robustness",
        "Accuracy on changed images",
        "A sample of the images, changed more and more from left to right. The dotted line is the sample's accuracy "
        "without change, the number that at the strongest change.",
        lambda e, theme: curves.robustness(e.robustness, theme),
    ),
    "comparison": FigureSpec(
        "Comparison",
        "Where two models differ",
        "Every image counts in one cell. Only the two cells in which one model alone is right count for the test.",
        lambda e, theme: comparison.agreement(e.comparison, theme),
    ),
    "training": FigureSpec(
        "Training",
        "Training curves",
        "A validation curve that departs from the training curve shows overfitting. "
        "Training images may have been made harder by augmentation.",
        lambda e, theme: curves.training(e.history, theme),
    ),
    "filters": FigureSpec(
        "Inside the network",
        "First filters",
        "The weights of the first layer, all on one scale: orange responds to ink, blue to its absence. "
        "Of an ensemble, here and below, those of its first network.",
        lambda e, theme: digits.first_filters(e.insight.filters, theme),
    ),
    "attributions": FigureSpec(
        "Inside the network",
        "Attributions",
        "Beside each image the pixels for the predicted class (orange) and against it (blue), "
        "each on the scale of its own strongest pixel.",
        lambda e, theme: digits.explanations(
            e.images, e.predictions, e.insight.attributed, e.insight.attributions, theme
        ),
    ),
    "embedding": FigureSpec(
        "Inside the network",
        "How the network arranges the images",
        "Each point is an image; images with similar features of the last layer are close. Names stand in the "
        "middle of their class, a cross marks an image read wrong.",
        lambda e, theme: classes.embedding(
            e.insight.embedding,
            e.predictions.labels[e.insight.embedded],
            e.predictions.correct[e.insight.embedded],
            e.predictions.class_names,
            theme,
        ),
    ),
    "samples": FigureSpec(
        "Data",
        "Images as stored and as the network sees them",
        "Normalising moves and scales the values so that the training images have mean 0 and standard deviation 1.",
        lambda e, theme: digits.samples(e.images, e.predictions, e.insight.normalised, theme),
    ),
    "class_counts": FigureSpec(
        "Data",
        "Images per class",
        "How many images of each class the splits have. Where bars differ much, look at the F1 of the rare classes "
        "and not only at accuracy.",
        lambda e, theme: classes.class_counts(e.class_counts, e.predictions.class_names, theme),
    ),
}


def draw_all(evaluation: Evaluation, *, dark: bool = False) -> dict[str, Figure]:
    """Every figure with something to draw, by its name."""
    drawn = {name: spec.draw(evaluation, DARK if dark else LIGHT) for name, spec in FIGURES.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}
