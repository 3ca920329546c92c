"""Runs and groups of runs as tables for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from digitrec.run_folder.differences import differing
from digitrec.run_folder.formatting import (
    apart,
    format_duration,
    format_metric,
    format_spread,
    format_time,
    short_names,
)
from digitrec.run_folder.groups import Group
from digitrec.run_folder.run import Run
from digitrec.system.wording import printable

COLOURS = {"finished": "green", "running": "yellow", "failed": "red", "killed": "red", "interrupted": "magenta"}
COLOURED = {status: Style(color=colour) for status, colour in COLOURS.items()}
GAP = 2  # columns of the terminal between two of a table
WIDE = 10_000  # columns where the output is no terminal: nothing is cut
NOTE_LENGTH = 40  # characters of a note in a list
MAX_ERRORS = 12  # listed below a table
HEADS = {"train/images_per_second": "images/s"}  # of metrics whose names are long


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, its cells in one line each, and its order of being dropped on narrow terminals."""

    head: str
    cells: Sequence[str]
    right: bool = False
    drop: int = 0  # 0 is always shown; the highest is dropped first

    def __post_init__(self) -> None:
        object.__setattr__(self, "head", printable(self.head))
        object.__setattr__(self, "cells", list(map(printable, self.cells)))


def console(*, markup: bool = True) -> Console:
    """A console as wide as the terminal, or of unlimited width where the output is no terminal."""
    found = Console(highlight=False, emoji=False, markup=markup)
    if not found.is_terminal:
        found.width = WIDE
    return found


def print_runs(runs: Sequence[Run], metrics: Sequence[str], title: str, progress: Mapping[str, str] = {}) -> None:
    """One row per run: name, status, the settings that differ, seed, metrics, duration, start; then why runs failed.

    Args:
        runs: in the order of the rows.
        metrics: names.
        title: above the table.
        progress: of those that are running, by name.
    """
    columns = [
        Column("run", [run.name for run in runs]),
        Column("status", [_status(run, progress) for run in runs]),
        *_settings(runs),
        Column("seed", ["" if run.seed is None else str(run.seed) for run in runs], right=True, drop=3),
        Column("fold", ["" if run.fold is None else str(run.fold) for run in runs], right=True, drop=3),
        *(_metric(name, [format_metric(name, run.metrics.get(name)) for run in runs]) for name in metrics),
        Column("time", [format_duration(run.seconds) for run in runs], right=True, drop=98),
        Column("started", [format_time(run.start) for run in runs], drop=99),
        Column("tags", [" ".join(run.tags) for run in runs], drop=2),
        Column("note", [_shortened(run.note) for run in runs], drop=100),
    ]
    _print(columns, title)
    failed = [run for run in runs if run.error]
    for run in failed[:MAX_ERRORS]:
        console().print(f"{run.name} {run.status}: {run.error}", markup=False, soft_wrap=True)
    if failed[MAX_ERRORS:]:
        console().print(f"... and {len(failed) - MAX_ERRORS} more: digitrec.runs list --where status=failed --csv")


def print_groups(groups: Sequence[Group], metrics: Sequence[str], title: str) -> None:
    """One row per group: the settings that differ, seeds, metrics as mean ± std (n)."""
    columns = [
        *_settings([group.runs[0] for group in groups]),
        Column("seeds", [_span([run.seed for run in group.runs]) for group in groups]),
        Column("folds", [_span([run.fold for run in group.runs]) for group in groups], drop=4),
        Column("status", [_statuses(group) for group in groups], drop=1),
        *(_metric(name, [format_spread(name, group.metrics.get(name)) for group in groups]) for name in metrics),
    ]
    _print(columns, title)


def _print(columns: Sequence[Column], title: str) -> None:
    """Print columns side by side; rich's table takes 0.4 s for 1,000 rows, as long as all the rest of the command."""
    out = console()
    shown = [column for column in columns if any(column.cells) or not column.drop]
    kept = _fitting(shown, out.width)
    widths = [_width(column) for column in kept]
    bold, default = Style(bold=True), Style()
    heads = [_padded(column.head, column, width) for column, width in zip(kept, widths, strict=True)]
    lines = [title, _line(heads, [bold] * len(kept), out), "─" * (sum(widths) + GAP * (len(kept) - 1))]
    for row in zip(*(column.cells for column in kept), strict=True):
        cells = [_padded(cell, column, width) for cell, column, width in zip(row, kept, widths, strict=True)]
        styles = [COLOURED.get(cell.partition(" ")[0], default) for cell in row]
        lines.append(_line(cells, styles, out))
    if left_out := [column.head for column in shown if column not in kept]:
        lines.append(f"no room for {', '.join(left_out)}: make the terminal wider, or digitrec.runs list --csv")
    print("\n".join(lines))  # noqa: T201


def _padded(text: str, column: Column, width: int) -> str:
    room = " " * (width - cell_len(text))
    return room + text if column.right else text + room


def _line(cells: Sequence[str], styles: Sequence[Style], out: Console) -> str:
    coloured = (
        style.render(cell, color_system=ColorSystem.STANDARD) if out.color_system and style else cell
        for cell, style in zip(cells, styles, strict=True)
    )
    return (" " * GAP).join(coloured).rstrip()


def _fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Columns that fit side by side."""
    kept = list(columns)
    while sum(_width(column) + GAP for column in kept) - GAP > width and any(column.drop for column in kept):
        kept.remove(max(kept, key=lambda column: column.drop))
    return kept


def _width(column: Column) -> int:
    return max(cell_len(text) for text in (column.head, *column.cells))


def _settings(runs: Sequence[Run]) -> list[Column]:
    """The settings in which runs differ; the last ones are dropped first where there is no room."""
    names = differing(runs)
    heads = short_names(names)
    return [
        Column(heads[name], apart([run.settings.get(name) for run in runs]), drop=10 + place)
        for place, name in enumerate(names)
    ]


def _metric(name: str, cells: Sequence[str]) -> Column:
    return Column(HEADS.get(name, name), cells, right=True)


def _status(run: Run, progress: Mapping[str, str]) -> str:
    return f"{run.status} {progress.get(run.name, '')}".strip()


def _shortened(note: str) -> str:
    """The beginning of a note."""
    line = " ".join(note.split())
    return line if len(line) <= NOTE_LENGTH else f"{line[: NOTE_LENGTH - 1].rstrip()}…"


def _span(numbers: Sequence[int | None]) -> str:
    """Seeds or folds, each once."""
    found = sorted({number for number in numbers if number is not None})
    if len(found) > 2 and found[-1] - found[0] == len(found) - 1:
        return f"{found[0]}-{found[-1]}"
    return ",".join(map(str, found))


def _statuses(group: Group) -> str:
    """Number of runs of each status; empty if all are finished."""
    statuses = [run.status for run in group.runs]
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    return "" if counts.keys() == {"finished"} else ", ".join(f"{count} {status}" for status, count in counts.items())
