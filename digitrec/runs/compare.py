"""Compare two runs: settings, metrics, curves, and whether the difference is more than chance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from digitrec.errors import DigitrecError
from digitrec.run_folder.differences import unlike
from digitrec.run_folder.epochs import Row, read_epochs
from digitrec.run_folder.formatting import apart, format_metric, is_share
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import spelled
from digitrec.run_folder.tables import console
from digitrec.runs.json_csv import Entry, run_entry
from digitrec.runs.paired_predictions import paired_predictions
from digitrec.system.wording import counted, printable

if TYPE_CHECKING:  # torch takes seconds to import
    from digitrec.evaluation.comparison import Comparison

MAIN = [
    *(f"{stage}/{name}" for stage in ("test", "val", "train") for name in ("accuracy", "loss", "f1", "r2")),
    "train/images_per_second",
]  # shown


@dataclass(frozen=True)
class Pair:
    """Two runs and their comparison.

    Attributes:
        a: one run.
        b: the other.
        settings: those that differ, by name: of a, of b; None where one lacks it.
        metrics: of a, of b; None where one lacks it.
        epochs: one row of metrics per epoch, of each.
        comparison: on the same test images.
        images: their number.
        why_not: why there is no such comparison.
    """

    a: Run
    b: Run
    settings: Mapping[str, tuple[Any, Any]]
    metrics: Mapping[str, tuple[float | None, float | None]]
    epochs: tuple[Sequence[Row], Sequence[Row]]
    comparison: Comparison | None = None
    images: int = 0
    why_not: str = ""

    @property
    def accuracies(self) -> tuple[float, float]:
        """Test accuracies of the two on the same images; only where there is a comparison."""
        assert self.comparison is not None
        return self.comparison.accuracy + self.comparison.difference[0], self.comparison.accuracy


def compare(a: Run, b: Run, evaluations: Sequence[Run]) -> Pair:
    """Compare two runs; `evaluations` may already have their predictions."""
    from digitrec.evaluation.comparison import paired_test

    names = [*a.metrics, *(name for name in b.metrics if name not in a.metrics)]
    found: dict[str, Any] = {}
    try:
        right, other_right = paired_predictions(a, b, evaluations)
        found = {"comparison": paired_test(right, "B", other_right), "images": len(right)}
    except DigitrecError as error:
        found = {"why_not": str(error)}
    return Pair(
        a,
        b,
        settings=_without_constructors(unlike(a, b)),
        metrics={name: (a.metrics.get(name), b.metrics.get(name)) for name in names},
        epochs=(read_epochs(a.folder), read_epochs(b.folder)),
        **found,
    )


def place(a: Run, b: Run, root: Path = Path("outputs/compare")) -> Path:
    """Folder for the comparison of two runs."""
    return root / "_vs_".join(re.sub(r"[^A-Za-z0-9._-]+", "-", run.name) for run in (a, b))


def pair_entry(pair: Pair) -> Entry:
    """A comparison for scripts; `test` is null where there is none, and `why_not` says why."""
    test: Entry | None = None
    if found := pair.comparison:
        (accuracy_a, accuracy_b), (difference, low, high) = pair.accuracies, found.difference
        test = {
            "images": pair.images,
            "accuracy_a": accuracy_a,
            "accuracy_b": accuracy_b,
            "difference": difference,
            "difference_low": low,
            "difference_high": high,
            "both_right": found.both_right,
            "both_wrong": found.both_wrong,
            **asdict(found.test),
        }
    a, b = run_entry(pair.a), run_entry(pair.b)
    return {
        "a": a,
        "b": b,
        "settings": {name: {"a": a["settings"].get(name), "b": b["settings"].get(name)} for name in pair.settings},
        "metrics": {name: {"a": x, "b": y, "difference": difference_of(x, y)} for name, (x, y) in pair.metrics.items()},
        "test": test,
        "why_not": pair.why_not or None,
    }


def pair_rows(pair: Pair) -> list[Entry]:
    """The same in rows: what (setting, metric or test), its name, a, b, difference."""
    entry = pair_entry(pair)
    rows: list[Entry] = [
        {"what": "setting", "name": name, "a": spelled(x), "b": spelled(y), "difference": None}
        for name, (x, y) in pair.settings.items()
    ]
    rows += [{"what": "metric", "name": name, **values} for name, values in entry["metrics"].items()]
    test = entry["test"] or {}
    return rows + [{"what": "test", "name": name, "a": value} for name, value in test.items()]


def main_metrics(pair: Pair) -> dict[str, tuple[float | None, float | None]]:
    """The metrics that are shown."""
    return {name: pair.metrics[name] for name in MAIN if name in pair.metrics}


def difference_of(x: float | None, y: float | None) -> float | None:
    """First minus second, where there are both."""
    return None if x is None or y is None else x - y


def difference_text(name: str, x: float | None, y: float | None) -> str:
    """The same as text; of shares in percentage points."""
    found = difference_of(x, y)
    if found is None:
        return ""
    if is_share(name):
        return signed(f"{100 * found:+.2f}")
    return signed(f"{found:+,.0f}" if abs(found) >= 100 else f"{found:+.4f}")


def signed(number: str) -> str:
    """A number with a typographic minus sign."""
    return number.replace("-", "\N{MINUS SIGN}", 1)


def print_pair(pair: Pair) -> None:
    """Settings and metrics that differ, and the verdict."""
    from digitrec.reports.report import verdict

    out = console()
    for letter, run in (("A", pair.a), ("B", pair.b)):
        out.print(f"[bold]{letter}[/]  {escape(run.name)}  {escape(printable(str(run.folder)))}", soft_wrap=True)
    settings = Table(title="Settings that differ", title_justify="left")
    for head in ("", "A", "B"):
        settings.add_column(head, overflow="fold")
    for name, values in pair.settings.items():
        settings.add_row(name, *(escape(text) for text in apart(values)))
    out.print(settings if pair.settings else "No setting differs that decides the result.")
    metrics = Table(title="Metrics", title_justify="left")
    metrics.add_column("")
    for head in ("A", "B", "A \N{MINUS SIGN} B"):
        metrics.add_column(head, justify="right")
    for name, values in main_metrics(pair).items():
        metrics.add_row(name, *(format_metric(name, value) for value in values), difference_text(name, *values))
    out.print(metrics)
    if pair.comparison:
        images = counted(pair.images, "test image")
        out.print(f"{images}: {verdict(pair.comparison, 'A')}", markup=False, soft_wrap=True)
    else:
        out.print(f"no comparison on the same images: {pair.why_not}", markup=False, soft_wrap=True)


def _without_constructors(differing: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Without the constructors of groups whose options differ."""
    return {
        name: values
        for name, values in differing.items()
        if not (name.endswith("_target_") and name.partition(".")[0] in differing)
    }
