"""An evaluation as one self-contained page, and its figures as files."""

from functools import partial
from pathlib import Path

import numpy as np

from digitrec.evaluation.comparison import Comparison
from digitrec.evaluation.evaluation import Evaluation
from digitrec.reports.figures import FIGURES
from digitrec.reports.page import Card, Picture, picture, write_page
from digitrec.system.wording import counted

TEMPLATE = Path(__file__).with_suffix(".html")
SIGNIFICANCE = 0.05  # p-value from which a difference may be chance


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write `report.html` and `figures/<name>.png` into a folder, which is made if missing; return the page's path."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    sections: dict[str, list[Picture]] = {}
    for name, spec in FIGURES.items():
        drawn = picture(name, spec.title, spec.caption, partial(spec.draw, evaluation))
        if drawn is None:
            continue
        (folder / "figures" / f"{name}.png").write_bytes(drawn.png)
        sections.setdefault(spec.section, []).append(drawn)
    return write_page(
        TEMPLATE,
        folder / "report.html",
        evaluation=evaluation,
        cards=headline(evaluation),
        sections=sections,
        class_rows=_class_rows(evaluation),
        verdict=verdict(evaluation.comparison) if evaluation.comparison else "",
    )


def headline(evaluation: Evaluation) -> list[Card]:
    """The most important numbers."""
    metrics, count, names = evaluation.metrics, len(evaluation.images), evaluation.predictions.class_names
    mistakes = int((~evaluation.predictions.correct).sum())
    cards = [
        Card(
            "Accuracy",
            f"{metrics['accuracy']:.2%}",
            f"95% interval {metrics['accuracy_low']:.2%} to {metrics['accuracy_high']:.2%}",
        ),
        Card("Mistakes", f"{mistakes:,}", f"of {counted(count, 'image')}"),
        Card(
            "Balanced accuracy",
            f"{metrics['balanced_accuracy']:.2%}",
            f"mean over classes; worst: {evaluation.worst_class}, {metrics['worst_class_accuracy']:.2%}",
        ),
        Card("F1", f"{metrics['f1']:.4f}", "mean over classes"),
        Card("Loss", f"{metrics['loss']:.4f}", "cross-entropy, in nats"),
        Card("Calibration error", f"{metrics['calibration_error']:.2%}", "confidence against accuracy"),
    ]
    if "writers" in metrics:
        low, high = metrics["accuracy_by_writer_low"], metrics["accuracy_by_writer_high"]
        cards.append(
            Card("Writers", f"{metrics['writers']:,}", f"interval of accuracy by writer {low:.2%} to {high:.2%}")
        )
    if len(names) > 2:
        cards.append(Card("Top-2 accuracy", f"{metrics['top2_accuracy']:.2%}", "label among the two best"))
    if all(name.isdecimal() for name in names):
        cards.append(Card("R²", f"{metrics['r2']:.4f}", "of classes taken as numbers"))
    return cards


def verdict(comparison: Comparison, this: str = "This model") -> str:
    """The result of comparing `this` with another model, as a sentence."""
    difference, low, high = (f"{100 * value:+.2f}".replace("-", "\N{MINUS SIGN}") for value in comparison.difference)
    test, other = comparison.test, f"{comparison.other} (accuracy {comparison.accuracy:.2%})"
    p_value = "p < 0.0001" if test.p_value < 0.0001 else f"p = {test.p_value:.4f}"
    meaning = "it may well be chance" if test.p_value >= SIGNIFICANCE else "more than chance would explain"
    return (
        f"{this} is alone right on {counted(test.only_a, 'image')}, {other} on {test.only_b:,}. "
        f"The difference in accuracy is {difference} percentage points (95% interval {low} to {high}); "
        f"McNemar's test gives {p_value}: {meaning}."
    )


def _class_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Name, number of images, precision, recall and F1 of each class."""
    scores = evaluation.predictions.class_scores
    shares = np.stack([scores.precision, scores.recall, scores.f1], axis=1).tolist()
    rows = zip(evaluation.predictions.class_names, scores.support.tolist(), shares, strict=True)
    return [(name, f"{images:,}", *(f"{share:.4f}" for share in row)) for name, images, row in rows]
