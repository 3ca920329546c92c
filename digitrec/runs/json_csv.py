"""Runs as JSON and csv, for scripts: numbers at full precision, the same keys whatever runs there are."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from digitrec.run_folder.groups import Group
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import decides, spelled
from digitrec.system.wording import printable

Entry = dict[str, Any]
IDENTITY = ("name", "path", "status", "error", "progress", "seed", "start", "duration_s", "tags", "note")


def run_entry(run: Run, progress: str = "") -> Entry:
    """A run's fields, `progress` if it is running, then `settings` and `metrics` by their names."""
    return {
        "name": run.name,
        "path": str(run.folder),
        "status": run.status,
        "error": run.error or None,
        "progress": progress or None,
        "seed": run.seed,
        "start": run.start or None,
        "duration_s": run.seconds,
        "tags": list(run.tags),
        "note": run.note or None,
        "settings": dict(run.settings),
        "metrics": dict(run.metrics),
    }


def group_entry(group: Group) -> Entry:
    """Seeds, number and folders of a group's runs, `settings`, and mean, std and n of each of its `metrics`."""
    return {
        "n": len(group.runs),
        "seeds": [run.seed for run in group.runs],
        "paths": [str(run.folder) for run in group.runs],
        "status": [run.status for run in group.runs],
        "settings": {name: value for name, value in group.runs[0].settings.items() if decides(name)},
        "metrics": {name: asdict(spread) for name, spread in group.metrics.items()},
    }


def flat(entry: Entry) -> Entry:
    """An entry in one row: fields, settings and metrics side by side, their parts after a dot."""
    row: Entry = {}
    for key, value in entry.items():
        if key not in ("settings", "metrics"):
            row[key] = " ".join(map(str, value)) if isinstance(value, list) else value
    for name, value in entry.get("settings", {}).items():
        row.setdefault(name, spelled(value))
    for name, value in entry.get("metrics", {}).items():
        parts = value.items() if isinstance(value, dict) else ()
        row |= {f"{name}.{part}": number for part, number in parts} or {name: value}
    return row


def print_json(content: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(content, indent=2, default=str, ensure_ascii=sys.stdout.isatty()))  # noqa: T201


def print_csv(rows: Sequence[Mapping[str, Any]], first: Sequence[str] = IDENTITY) -> None:
    """Print rows below one header; empty where a row has no such value.

    Args:
        rows: by column.
        first: columns that are there even without rows.
    """
    names = list(dict.fromkeys([*(first if not rows else ()), *(name for row in rows for name in row)]))
    writer = csv.DictWriter(sys.stdout, names, restval="", lineterminator="\n")
    writer.writerow({name: safe(name) for name in names})
    writer.writerows({name: safe(value) for name, value in row.items()} for row in rows)


def safe(value: Any) -> Any:
    """A value for standard output: in a terminal nothing in it steers that, for programs it stays as it is."""
    return printable(str(value)) if sys.stdout.isatty() and value is not None else value
