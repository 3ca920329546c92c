"""Runs and groups of runs as tables for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from digitrec.run_folder.differences import differing
from digitrec.run_folder.epochs import Progress
from digitrec.run_folder.formatting import (
    apart,
    format_duration,
    format_metric,
    format_spread,
    format_time,
    short_names,
)
from digitrec.run_folder.groups import Group
from digitrec.run_folder.ranking import data_of, order
from digitrec.run_folder.run import Run
from digitrec.system.wording import printable

COLOURS = {"finished": "green", "running": "yellow", "failed": "red", "killed": "red", "interrupted": "magenta"}
COLOURED = {status: Style(color=colour) for status, colour in COLOURS.items()}
GAP = 2  # columns of the terminal between two of a table
WIDE = 10_000  # columns where the output is no terminal: nothing is cut
NOTE_LENGTH = 40  # characters of a note in a list
SHORT = 20  # terminal columns to which long cells are shortened before a column is dropped
MAX_ERRORS = 12  # listed below a table
BEST = "best"  # mark at a row's end
HEADS = {"train/images_per_second": "images/s"}  # of metrics whose names are long


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, its cells in one line each, and its order of being dropped on narrow terminals."""

    head: str
    cells: Sequence[str]
    right: bool = False
    drop: int = 0  # 0 is always shown; the highest is dropped first
    keep_end: bool = False  # of what is shortened the end stays, which distinguishes names

    def __post_init__(self) -> None:
        object.__setattr__(self, "head", printable(self.head))
        object.__setattr__(self, "cells", list(map(printable, self.cells)))


def console(*, markup: bool = True) -> Console:
    """A console as wide as the terminal, or of unlimited width where the output is no terminal."""
    found = Console(highlight=False, emoji=False, markup=markup)
    if not found.is_terminal:
        found.width = WIDE
    return found


def print_runs(
    runs: Sequence[Run], metrics: Sequence[str], title: str, progress: Mapping[str, Progress] = {}, metric: str = ""
) -> None:
    """One row per run: name, status, the settings that differ, seed, metrics, duration, start; then why runs failed.

    Args:
        runs: in the order of the rows.
        metrics: names.
        title: above the table.
        progress: of those that are not finished, by name; they show the metrics of their best epoch.
        metric: by which the best finished run of each data set is marked.
    """
    how_far = [progress.get(run.name, Progress()) for run in runs]
    shown = [{**far.best, **run.metrics} for far, run in zip(how_far, runs, strict=True)]
    data = [data_of(run) for run in runs]
    columns = [
        Column("run", [run.name for run in runs], keep_end=True),
        Column("status", [f"{run.status} {far.epochs}".strip() for far, run in zip(how_far, runs, strict=True)]),
        *_settings(runs),
        Column("seed", ["" if run.seed is None else str(run.seed) for run in runs], right=True, drop=3),
        Column("fold", ["" if run.fold is None else str(run.fold) for run in runs], right=True, drop=3),
        *(_metric(name, [format_metric(name, found.get(name)) for found in shown]) for name in metrics),
        Column("", _marks(data, [run.metrics for run in runs], metric), drop=1),
        Column("time", [format_duration(run.seconds) for run in runs], right=True, drop=98),
        Column("started", [format_time(run.start) for run in runs], drop=99),
        Column("tags", [" ".join(run.tags) for run in runs], drop=2),
        Column("note", [_shortened(run.note) for run in runs], drop=100),
    ]
    _print(columns, title, data)
    failed = [run for run in runs if run.error]
    for run in failed[:MAX_ERRORS]:
        console().print(f"{run.name} {run.status}: {run.error}", markup=False, soft_wrap=True)
    if failed[MAX_ERRORS:]:
        console().print(f"... and {len(failed) - MAX_ERRORS} more: digitrec.runs list --where status=failed --csv")


def print_groups(groups: Sequence[Group], metrics: Sequence[str], title: str, metric: str = "") -> None:
    """One row per group: the settings that differ, seeds, metrics as mean ± std (n); the best by `metric` is marked."""
    data = [data_of(group.runs[0]) for group in groups]
    columns = [
        *_settings([group.runs[0] for group in groups]),
        Column("seeds", [_span([run.seed for run in group.runs]) for group in groups]),
        Column("folds", [_span([run.fold for run in group.runs]) for group in groups], drop=4),
        Column("status", [_statuses(group) for group in groups], drop=1),
        *(_metric(name, [format_spread(name, group.metrics.get(name)) for group in groups]) for name in metrics),
        Column("", _marks(data, [group.means for group in groups], metric), drop=1),
    ]
    _print(columns, title, data)


def _marks(data: Sequence[str], metrics: Sequence[Mapping[str, float]], metric: str) -> list[str]:
    """A mark for the best row by a metric of each data set that has several."""
    marks = [""] * len(data)
    for name in dict.fromkeys(data):
        rows = [row for row, other in enumerate(data) if other == name]
        best = min(rows, key=lambda row: order(metrics[row], metric))
        if len(rows) > 1 and metric in metrics[best]:
            marks[best] = BEST
    return marks


def _print(columns: Sequence[Column], title: str, data: Sequence[str]) -> None:
    """Print columns side by side, the name of the data above the rows of each set where there are several.

    Rich's table takes 0.4 s for 1,000 rows, as long as all the rest of the command.
    """
    out = console()
    shown = [column for column in columns if any(column.cells) or not column.drop]
    kept, widths = _fitting(shown, out.width)
    bold, default = Style(bold=True), Style()
    heads = [_padded(column.head, column, width) for column, width in zip(kept, widths, strict=True)]
    lines = [title, _line(heads, [bold] * len(kept), out), "─" * (sum(widths) + GAP * (len(kept) - 1))]
    several = len(set(data)) > 1
    for number, row in enumerate(zip(*(column.cells for column in kept), strict=True)):
        if several and (not number or data[number] != data[number - 1]):
            lines.append(_line([f"{printable(data[number]) or 'unknown data'}:"], [bold], out))
        cells = [_padded(cell, column, width) for cell, column, width in zip(row, kept, widths, strict=True)]
        styles = [COLOURED.get(cell.partition(" ")[0], default) for cell in row]
        lines.append(_line(cells, styles, out))
    if left_out := [column.head for column in shown if column.head and column not in kept]:
        lines.append(f"no room for {', '.join(left_out)}: make the terminal wider, or digitrec.runs list --csv")
    print("\n".join(lines))  # noqa: T201


def _padded(text: str, column: Column, width: int) -> str:
    if cell_len(text) > width:
        return f"…{set_cell_size(text[::-1], width - 1)[::-1]}" if column.keep_end else _cut(text, width)
    room = " " * (width - cell_len(text))
    return room + text if column.right else text + room


def _line(cells: Sequence[str], styles: Sequence[Style], out: Console) -> str:
    coloured = (
        style.render(cell, color_system=ColorSystem.STANDARD) if out.color_system and style else cell
        for cell, style in zip(cells, styles, strict=True)
    )
    return (" " * GAP).join(coloured).rstrip()


def _cut(text: str, width: int) -> str:
    return f"{set_cell_size(text, width - 1)}…"


def _fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[int]]:
    """Columns that fit side by side, and their widths: long texts are shortened first, then columns dropped."""
    kept = list(columns)
    while True:
        widths = [_width(column) for column in kept]
        room = width - GAP * (len(kept) - 1)
        while sum(widths) > room and (long := [place for place, column in enumerate(kept) if not column.right]):
            longest = max(long, key=lambda place: widths[place])
            if widths[longest] <= SHORT:
                break
            widths[longest] -= 1
        if sum(widths) <= room or not any(column.drop for column in kept):
            return kept, widths
        kept.remove(max(kept, key=lambda column: column.drop))


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
