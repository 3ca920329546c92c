"""The table of a sweep's jobs, from the files they left."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN = {"val/accuracy": "{:.2%}", "test/accuracy": "{:.2%}", "test/loss": "{:.4f}"}


def print_sweep(folder: Path) -> int:
    """Print one row per job folder, then each failure with its reason.

    Returns:
        number of jobs that did not finish.
    """
    jobs = sorted((_job(path) for path in folder.glob("*/") if (path / ".hydra").is_dir()), key=_start)
    table = Table(title=f"{len(jobs)} jobs in {folder}", title_justify="left")
    table.add_column("job", overflow="fold")
    table.add_column("status")
    for column in (*SHOWN, "time"):
        table.add_column(column, justify="right")
    for job in jobs:
        table.add_row(*_row(job))
    console = Console()
    console.print(table)
    failed = [job for job in jobs if job["status"] != "finished"]
    for job in failed:
        console.print(f"{job['name']}: {job['status']}: {job.get('error', 'ended without a word')}", markup=False)
    return len(failed)


def _job(path: Path) -> dict[str, Any]:
    record = _read(path / "run.json") or {"status": "failed", "error": "ended before it could start a record"}
    return {"name": path.name, "metrics": _read(path / "metrics.json"), **record}


def _start(job: dict[str, Any]) -> str:
    return str(job.get("start", ""))


def _row(job: dict[str, Any]) -> list[str]:
    metrics = job["metrics"]
    values = [text.format(metrics[name]) if name in metrics else "" for name, text in SHOWN.items()]
    status = {"finished": "[green]finished[/]", "running": "[yellow]running[/]"}.get(job["status"], "[red]failed[/]")
    return [job["name"], status, *values, f"{job.get('duration_s', 0):.0f} s"]


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content
