"""All about one run."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from digitrec.errors import DigitrecError
from digitrec.run_folder.epochs import Row
from digitrec.run_folder.formatting import counted_names, format_duration, format_metric, format_size, format_time
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import decides, spelled
from digitrec.run_folder.tables import COLOURS, console
from digitrec.runs.json_csv import Entry, run_entry
from digitrec.system.wording import printable, printable_lines

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40  # bars of a curve
ROWS = 12  # epochs listed
CURVES = ("train/loss", "val/loss", "train/accuracy", "val/accuracy", "lr")
METRICS = ("accuracy", "loss", "precision", "recall", "f1", "r2", "images_per_second")
FACTS = ("device_name", "precision", "parameters", "data", "git_revision", "host")


def show_entry(run: Run, epochs: Sequence[Row]) -> Entry:
    """A run for scripts: its entry, run.json, epochs, and files with their sizes in bytes."""
    record = {name: value for name, value in run.record.items() if name not in ("status", "error")}
    return {**run_entry(run), "record": record, "epochs": list(epochs), "files": files(run.folder)}


def files(folder: Path) -> dict[str, int]:
    """Size in bytes of each file of a run, by its path within."""
    try:
        found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    except RecursionError as error:
        raise DigitrecError(f"{folder}: folders in each other too deep to list their files") from error
    return {str(path.relative_to(folder)): path.stat().st_size for path in found}


def print_run(run: Run, epochs: Sequence[Row]) -> None:
    """Print status, settings, metrics, epochs and files of a run."""
    out = console()
    out.print(
        f"[bold]{escape(run.name)}[/]  [{COLOURS.get(run.status, 'default')}]{escape(run.status)}[/]", soft_wrap=True
    )
    if run.error:
        out.print(run.error, markup=False, soft_wrap=True)
    facts = {"folder": run.folder, "started": format_time(run.start), "time": format_duration(run.seconds)}
    facts |= {name.replace("_", " "): run.record.get(name) for name in FACTS}
    facts["command"] = run.record.get("command")
    facts |= {"tags": " ".join(run.tags), "note": run.note, "repeats": _repeated(run.record)}
    for name, value in facts.items():
        if value not in (None, ""):
            text = f"{value:,}" if isinstance(value, int) else value
            out.print(f"{name + ':':13} {printable_lines(str(text))}", markup=False, soft_wrap=True)
    for title, table in (
        ("Settings", _settings(run.settings)),
        ("Metrics", _metrics(run.metrics)),
        ("Epochs", _epochs(epochs)),
        ("Files", _files(files(run.folder))),
    ):
        out.print(f"\n[bold]{title}[/]")
        out.print(Padding(table, (0, 0, 0, 2), expand=False) if table.rows or table.columns else "  none")


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """A curve in one line of text, from its lowest value to its highest; at most `width` values."""
    if not values:
        return ""
    shown = [values[place * len(values) // min(width, len(values))] for place in range(min(width, len(values)))]
    shown[-1] = values[-1]
    low, high = min(shown), max(shown)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0
    return "".join(BARS[round((value - low) * scale)] for value in shown)


def _repeated(record: Mapping[str, Any]) -> str:
    """The run that this one repeats, and whether the result is identical."""
    identical = record.get("rerun_identical")
    verdict = "not compared" if identical is None else "identical" if identical else "NOT identical"
    return f"{record['rerun_of']}: {verdict}" if "rerun_of" in record else ""


def _settings(settings: Mapping[str, Any]) -> Table:
    """One row per group: its option, unless it has several, and its settings.

    Settings that do not change the result and those that are null are left out; --json has them.
    """
    table = Table.grid(padding=(0, 2))
    main = {
        name: value
        for name, value in settings.items()
        if value is not None and "${" not in str(value) and "_target_" not in name and (decides(name) or name == "seed")
    }
    groups = {name for name in main for other in main if other.startswith(f"{name}.")}
    top = [name for name in main if "." not in name and name not in groups]
    if top:
        table.add_row("", "", escape(" ".join(f"{name}={spelled(main[name])}" for name in top)))
    inner = sorted((name for name in main if "." in name), key=lambda name: name.partition(".")[0])
    for group, names in groupby(inner, key=lambda name: name.partition(".")[0]):
        given = " ".join(f"{name.partition('.')[2]}={spelled(main[name])}" for name in names)
        option = spelled(main.get(group, ""))
        table.add_row(group, "" if "+" in option else escape(option), escape(given))
    return table


def _metrics(metrics: Mapping[str, float]) -> Table:
    """A row per metric, a column per stage; metrics.json has the scores of single classes too."""
    stages = [stage for stage in ("train", "val", "test") if any(name.startswith(f"{stage}/") for name in metrics)]
    table = Table.grid(padding=(0, 2))
    known = {name.partition("/")[2] for name in metrics}
    names = [name for name in dict.fromkeys((*METRICS, *counted_names(metrics))) if name in known]
    if names:
        table.add_row("", *stages)
    for name in names:
        table.add_row(name, *(format_metric(name, metrics.get(f"{stage}/{name}")) for stage in stages))
    return table


def _epochs(epochs: Sequence[Row]) -> Table:
    """A row per epoch, of many epochs some, and each curve in a line."""
    table = Table.grid(padding=(0, 2))
    curves = [name for name in CURVES if any(name in row for row in epochs)]
    if not curves:
        return table
    table.add_row("epoch", *curves)
    step = -(-len(epochs) // ROWS)
    for row in [*epochs[:-1:step], epochs[-1]]:
        table.add_row(f"{row['epoch']:.0f}", *(format_metric(name, row.get(name)) for name in curves))
    width = min(WIDTH, 14)
    table.add_row("", *(sparkline([row[name] for row in epochs if name in row], width) for name in curves))
    return table


def _files(found: Mapping[str, int]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, count in found.items():
        table.add_row(escape(printable(name)), format_size(count))
    return table
