"""The table of a sweep's jobs, from the files they left."""

import json
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

SHOWN = {"val/accuracy": "{:.2%}", "test/accuracy": "{:.2%}", "train/images_per_second": "{:,.0f}"}
COLOURS = {"finished": "green", "running": "yellow"}


def print_sweep(folder: Path) -> int:
    """Print one row per job folder: the settings that vary, how it ended, its figures; then why jobs failed.

    Returns:
        number of jobs that did not finish.
    """
    jobs = sorted((_job(path.parent) for path in folder.glob("*/.hydra")), key=lambda job: str(job.get("start", "")))
    varying = _varying([job["settings"] for job in jobs])
    table = Table(title=f"{len(jobs)} jobs in {folder}", title_justify="left")
    for name in (*varying, "status"):
        table.add_column(name.rpartition(".")[2], no_wrap=True)
    for name in ("val", "test", "images/s", "time"):
        table.add_column(name, justify="right")
    for job in jobs:
        table.add_row(*(job["settings"].get(name, "") for name in varying), *_outcome(job))
    console = Console(highlight=False)
    console.print(table)
    failed = [job for job in jobs if job["status"] != "finished"]
    for job in failed:
        reason = f": {job['error']}" if "error" in job else ""
        console.print(f"{job['name']} {job['status']}{reason}", markup=False, soft_wrap=True)
    return len(failed)


def _job(path: Path) -> dict[str, Any]:
    overrides = yaml.safe_load((path / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")) or []
    settings = dict(override.partition("=")[::2] for override in overrides)
    record = _read(path / "run.json") or {"status": "failed", "error": "ended before it could start its record"}
    return {"name": path.name, "settings": settings, "metrics": _read(path / "metrics.json"), **record}


def _varying(settings: list[dict[str, str]]) -> list[str]:
    names = dict.fromkeys(name for job in settings for name in job)
    return [name for name in names if len({job.get(name) for job in settings}) > 1]


def _outcome(job: dict[str, Any]) -> list[str]:
    status, metrics = job["status"], job["metrics"]
    figures = ["" if (value := metrics.get(name)) is None else text.format(value) for name, text in SHOWN.items()]
    return [f"[{COLOURS.get(status, 'red')}]{status}[/]", *figures, f"{job.get('duration_s', 0):.0f} s"]


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content
