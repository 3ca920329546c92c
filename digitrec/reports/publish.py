"""Put an examination where people look: a report, a table of predictions, TensorBoard, the terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from digitrec.evaluation.examination import Examination
from digitrec.evaluation.predictions import write_csv
from digitrec.evaluation.progress import busy
from digitrec.reports.events import write_events
from digitrec.reports.report import write_report
from digitrec.wording import shown


def publish(examination: Examination, stage: str, folder: Path) -> dict[str, float]:
    """Write report.html, figures/, predictions.csv and TensorBoard events into a folder, and print a summary.

    Returns:
        every number by its name in metrics.json, those of the predictions below `stage`.
    """
    write_csv(examination.predictions, folder / "predictions.csv")
    with busy("Drawing the report"):
        write_report(examination, folder)
        write_events(examination, folder / "figures", folder)
    print_summary(examination, folder)
    return flat_metrics(examination, stage)


def flat_metrics(examination: Examination, stage: str) -> dict[str, float]:
    """Every number by its name in TensorBoard and metrics.json."""
    flat: dict[str, float] = {f"{stage}/{name}": value for name, value in examination.metrics.items()}
    for change in examination.robustness:
        flat["robustness/none"] = change.unchanged
        for strength, accuracy in zip(change.strengths, change.accuracies, strict=True):
            flat[f"robustness/{change.name}/{strength:g}"] = accuracy
    if examination.comparison:
        difference, low, high = examination.comparison.difference
        flat |= {
            "comparison/accuracy": examination.comparison.accuracy,
            "comparison/difference": difference,
            "comparison/difference_low": low,
            "comparison/difference_high": high,
            "comparison/only_this_right": examination.comparison.test.only_a,
            "comparison/only_other_right": examination.comparison.test.only_b,
            "comparison/p_value": examination.comparison.test.p_value,
        }
    return flat


def print_summary(examination: Examination, folder: Path) -> None:
    """The figures that matter most, and where the rest lies."""
    console, metrics = Console(highlight=False), examination.metrics
    table = Table(title=examination.title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    wrong = int((~examination.predictions.correct).sum())
    table.add_row("accuracy", f"[bold]{metrics['accuracy']:.2%}[/]")
    table.add_row("95 % interval", f"{metrics['accuracy_low']:.2%} to {metrics['accuracy_high']:.2%}")
    table.add_row("wrong", f"{wrong:,} of {len(examination.images):,}")
    table.add_row("top-2 accuracy", f"{metrics['top2_accuracy']:.2%}")
    for name in ("f1", "r2", "loss", "calibration_error"):
        table.add_row(name.replace("_", " "), f"{metrics[name]:.4f}")
    for change in examination.robustness:
        hardest = f"{change.strengths[-1]:g} {change.unit}".strip()
        table.add_row(f"accuracy, {change.name} {hardest}", f"{change.accuracies[-1]:.2%}")
    console.print(table)
    if found := examination.comparison:
        difference, low, high = found.difference
        console.print(
            f"against {found.other}: {difference:+.2%} ({low:+.2%} to {high:+.2%}), only this one right "
            f"{found.test.only_a}, only the other {found.test.only_b}, McNemar p = {found.test.p_value:.3g}",
            soft_wrap=True,
        )
    for label, name in {
        "report": "report.html",
        "predictions": "predictions.csv",
        "all figures": "metrics.json",
    }.items():
        console.print(f"{label + ':':15} {shown(folder / name)}", soft_wrap=True)
