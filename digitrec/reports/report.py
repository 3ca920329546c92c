"""An examination as one self-contained page, and its figures as files."""

from pathlib import Path

from digitrec.evaluation.examination import Comparison, Examination
from digitrec.reports.figures import GALLERY, draw_all
from digitrec.reports.page import Card, Picture, picture, write_page

TEMPLATE = Path(__file__).with_suffix(".html")
LIKELY_CHANCE = 0.05  # p-value from which a difference is not called one


def write_report(examination: Examination, folder: Path) -> Path:
    """Write `report.html` and `figures/<name>.png` into a folder, made if it is not there; return the page's path."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    sections: dict[str, list[Picture]] = {}
    dark = draw_all(examination, dark=True)
    for name, figure in draw_all(examination).items():
        exhibit = GALLERY[name]
        drawn = picture(name, exhibit.title, exhibit.caption, figure, dark[name])
        (folder / "figures" / f"{name}.png").write_bytes(drawn.png)
        sections.setdefault(exhibit.section, []).append(drawn)
    return write_page(
        TEMPLATE,
        folder / "report.html",
        examination=examination,
        cards=headline(examination),
        sections=sections,
        class_rows=_class_rows(examination),
        verdict=verdict(examination.comparison) if examination.comparison else "",
    )


def headline(examination: Examination) -> list[Card]:
    """The numbers that a reader wants first."""
    metrics, count, names = examination.metrics, len(examination.images), examination.predictions.class_names
    mistakes = int((~examination.predictions.correct).sum())
    cards = [
        Card(
            "Accuracy",
            f"{metrics['accuracy']:.2%}",
            f"95% interval {metrics['accuracy_low']:.2%} to {metrics['accuracy_high']:.2%}",
        ),
        Card("Mistakes", f"{mistakes:,}", f"of {count:,} images"),
        Card("F1", f"{metrics['f1']:.4f}", "mean over classes"),
        Card("Loss", f"{metrics['loss']:.4f}", "cross-entropy, in nats"),
        Card("Calibration error", f"{metrics['calibration_error']:.2%}", "confidence against accuracy"),
    ]
    if len(names) > 2:
        cards.append(Card("Top-2 accuracy", f"{metrics['top2_accuracy']:.2%}", "label among the two best"))
    if all(name.isdecimal() for name in names):
        cards.append(Card("R²", f"{metrics['r2']:.4f}", "of classes taken as numbers"))
    return cards


def verdict(comparison: Comparison, this: str = "This model") -> str:
    """What a comparison of `this` with another model comes to, in words."""
    difference, low, high = (f"{100 * value:+.2f}".replace("-", "\N{MINUS SIGN}") for value in comparison.difference)
    test = comparison.test
    chance = test.p_value >= LIKELY_CHANCE
    p_value = "p < 0.0001" if test.p_value < 0.0001 else f"p = {test.p_value:.4f}"
    return (
        f"{this} is alone right on {test.only_a:,} images, {comparison.other} (accuracy {comparison.accuracy:.2%}) "
        f"on {test.only_b:,}. The difference in accuracy is {difference} percentage points (95% interval {low} to "
        f"{high}); McNemar's test gives {p_value}: "
        + ("it may well be chance." if chance else "more than chance would explain.")
    )


def _class_rows(examination: Examination) -> list[tuple[str, int, float, float, float]]:
    """Name, number of images, precision, recall and F1 of each class."""
    scores = examination.predictions.class_scores
    columns = (scores.support, scores.precision, scores.recall, scores.f1)
    return list(zip(examination.predictions.class_names, *(column.tolist() for column in columns), strict=True))
