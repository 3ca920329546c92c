"""Compare two runs: settings, metrics, curves, and whether the difference is more than chance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import ascii_uppercase
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
    settings: Mapping[str, tuple[Any, ...]]
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
    """A comparison for scripts; `test` is null where there is none, and `why_not` is the reason."""
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


def print_pairs(pairs: Sequence[Pair]) -> None:
    """Settings and metrics that differ between one run, the `a` of each pair, and others, and the verdicts."""
    from digitrec.reports.report import SIGNIFICANCE, verdict

    out, runs = console(), [pairs[0].a, *(pair.b for pair in pairs)]
    letters = letters_of(pairs)
    for letter, run in zip(letters, runs, strict=True):
        out.print(f"[bold]{letter}[/]  {escape(run.name)}  {escape(printable(str(run.folder)))}", soft_wrap=True)
    settings = Table("", *letters, title="Settings that differ", title_justify="left")
    for column in settings.columns:
        column.overflow = "fold"
    for name, values in _without_constructors(unlike(*runs)).items():
        settings.add_row(name, *(escape(text) for text in apart(values)))
    out.print(settings if settings.rows else "No setting differs that decides the result.")
    metrics = Table(title="Metrics", title_justify="left")
    metrics.add_column("")
    for head in (*letters, *(f"A \N{MINUS SIGN} {letter}" for letter in letters[1:])):
        metrics.add_column(head, justify="right")
    for name in (name for name in MAIN if any(name in run.metrics for run in runs)):
        found = [run.metrics.get(name) for run in runs]
        apart_by = [difference_text(name, found[0], other) for other in found[1:]]
        metrics.add_row(name, *(format_metric(name, value) for value in found), *apart_by)
    out.print(metrics)
    for letter, pair in zip(letters[1:], pairs, strict=True):
        which = f"A and {letter}, " if len(pairs) > 1 else ""
        if pair.comparison:
            words = verdict(replace(pair.comparison, other=letter), "A")
            out.print(f"{which}{counted(pair.images, 'test image')}: {words}", markup=False, soft_wrap=True)
        else:
            out.print(f"{which}no comparison on the same images: {pair.why_not}", markup=False, soft_wrap=True)
    if len(pairs) > 1:
        least = f"{SIGNIFICANCE / len(pairs):.2g}"
        out.print(
            f"Each p is of one pair; of {len(pairs)} of them, one that is no chance is below {least}.", soft_wrap=True
        )


def letters_of(pairs: Sequence[Pair]) -> list[str]:
    """A, B, ... for the run that others are compared with, and for those."""
    return [f"{ascii_uppercase[place % 26]}{place // 26 or ''}" for place in range(len(pairs) + 1)]


def _without_constructors(differing: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Without the constructors of groups whose options differ."""
    return {
        name: values
        for name, values in differing.items()
        if not (name.endswith("_target_") and name.partition(".")[0] in differing)
    }
