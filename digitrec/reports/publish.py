"""The results of an evaluation: a report, a table of predictions, TensorBoard events, a summary on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from digitrec.data.datasets import Split
from digitrec.evaluation.evaluate import describe, evaluate
from digitrec.evaluation.evaluation import Evaluation
from digitrec.evaluation.predictions import write_csv
from digitrec.evaluation.progress import busy
from digitrec.models.classifier import DigitClassifier
from digitrec.reports.events import write_events
from digitrec.reports.report import write_report
from digitrec.run_folder.tables import console
from digitrec.system.wording import shown


def report(
    classifiers: Sequence[DigitClassifier],
    splits: Mapping[str, Split],
    stage: str,
    record: Mapping[str, Any],
    folder: Path,
    **options: Any,
) -> dict[str, float]:
    """Evaluate classifiers and publish the evaluation.

    Args:
        classifiers: one, or several whose mean is evaluated.
        splits: of one data set, by name.
        stage: name of the split to evaluate.
        record: content of run.json.
        folder: to write into.
        options: of `evaluate`.

    Returns:
        every number by its name in metrics.json.
    """
    title = f"{record['model']} on {record['data']}, {record.get('part') or stage} images"
    facts = describe({**record, "split": stage})
    evaluation = evaluate(
        classifiers, splits, stage=stage, precision=record["precision"], title=title, facts=facts, **options
    )
    publish(evaluation, folder)
    return flat_metrics(evaluation, stage)


def publish(evaluation: Evaluation, folder: Path) -> None:
    """Write report.html, figures/, predictions.csv and TensorBoard events into a folder, and print a summary."""
    write_csv(evaluation.predictions, folder / "predictions.csv")
    with busy("Drawing the report"):
        write_report(evaluation, folder)
        write_events(evaluation, folder / "figures", folder)
    print_summary(evaluation, folder)


def flat_metrics(evaluation: Evaluation, stage: str) -> dict[str, float]:
    """Every number by its name in TensorBoard and metrics.json."""
    flat: dict[str, float] = {f"{stage}/{name}": value for name, value in evaluation.metrics.items()}
    for change in evaluation.robustness:
        flat["robustness/none"] = change.unchanged
        for strength, accuracy in zip(change.strengths, change.accuracies, strict=True):
            flat[f"robustness/{change.name}/{strength:g}"] = accuracy
    if evaluation.comparison:
        difference, low, high = evaluation.comparison.difference
        flat |= {
            "comparison/accuracy": evaluation.comparison.accuracy,
            "comparison/difference": difference,
            "comparison/difference_low": low,
            "comparison/difference_high": high,
            "comparison/only_this_right": evaluation.comparison.test.only_a,
            "comparison/only_other_right": evaluation.comparison.test.only_b,
            "comparison/p_value": evaluation.comparison.test.p_value,
        }
    return flat


def print_summary(evaluation: Evaluation, folder: Path) -> None:
    """Print the most important numbers and the paths of the rest."""
    out, metrics = console(), evaluation.metrics
    table = Table(title=evaluation.title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    wrong = int((~evaluation.predictions.correct).sum())
    table.add_row("accuracy", f"[bold]{metrics['accuracy']:.2%}[/]")
    table.add_row("95 % interval", f"{metrics['accuracy_low']:.2%} to {metrics['accuracy_high']:.2%}")
    if "writers" in metrics:
        low, high = metrics["accuracy_by_writer_low"], metrics["accuracy_by_writer_high"]
        table.add_row(f"by {metrics['writers']:,} writers", f"{low:.2%} to {high:.2%}")
    table.add_row("balanced accuracy", f"{metrics['balanced_accuracy']:.2%}")
    table.add_row(f"worst class, {evaluation.worst_class}", f"{metrics['worst_class_accuracy']:.2%}")
    table.add_row("wrong", f"{wrong:,} of {len(evaluation.images):,}")
    table.add_row("top-2 accuracy", f"{metrics['top2_accuracy']:.2%}")
    for name in ("f1", "r2", "loss", "calibration_error"):
        table.add_row(name.replace("_", " "), f"{metrics[name]:.4f}")
    for change in evaluation.robustness:
        hardest = f"{change.strengths[-1]:g} {change.unit}".strip()
        table.add_row(f"accuracy, {change.name} {hardest}", f"{change.accuracies[-1]:.2%}")
    out.print(table)
    if found := evaluation.comparison:
        difference, low, high = found.difference
        out.print(
            f"against {found.other}: {difference:+.2%} ({low:+.2%} to {high:+.2%}), only this one right "
            f"{found.test.only_a}, only the other {found.test.only_b}, McNemar p = {found.test.p_value:.3g}",
            soft_wrap=True,
        )
    for label, name in (("report", "report.html"), ("predictions", "predictions.csv"), ("all figures", "metrics.json")):
        out.print(f"{label + ':':15} {shown(folder / name)}", soft_wrap=True)
