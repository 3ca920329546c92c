"""The table of a sweep's jobs, from the files they left."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from digitrec.errors import DigitrecError
from digitrec.ledger.run import Run, read_run
from digitrec.ledger.settings import read_overrides

SHOWN = {"val/accuracy": "{:.2%}", "test/accuracy": "{:.2%}", "train/images_per_second": "{:,.0f}"}
COLOURS = {"finished": "green", "running": "yellow"}


class Untold:
    """What jobs of the sweep have failed of that no record in their folders tells."""

    messages: ClassVar[list[str]] = []


def print_sweep(folder: Path) -> int:
    """Print one row per job folder: the settings that vary, how it ended, its figures; then why jobs failed.

    Returns:
        number of jobs that did not finish.
    """
    jobs = sorted((_job(path.parent) for path in folder.glob("*/.hydra")), key=lambda job: job.start)
    said = [_said(job.folder) for job in jobs]
    varying = _varying(said)
    table = Table(title=f"{len(jobs)} jobs in {folder}", title_justify="left")
    for name in (*varying, "status"):
        table.add_column(name.rpartition(".")[2], no_wrap=True)
    for name in ("val", "test", "images/s", "time"):
        table.add_column(name, justify="right")
    for job, settings in zip(jobs, said, strict=True):
        table.add_row(*(escape(settings.get(name, "")) for name in varying), *_outcome(job))
    console = Console(highlight=False)
    console.print(table)
    failed = [job for job in jobs if job.status != "finished"]
    for job in failed:
        reason = f": {job.record['error']}" if "error" in job.record else ""
        console.print(f"{job.folder.name} {job.status}{reason}", markup=False, soft_wrap=True)
    return len(failed)


def _job(folder: Path) -> Run:
    try:
        return read_run(folder)
    except DigitrecError:
        return Run(folder, "failed", {"error": "ended before it could start its record"})


def _said(folder: Path) -> dict[str, str]:
    try:
        return read_overrides(folder)
    except (OSError, ValueError):  # the disk was full, or the job was killed while it wrote them
        return {}


def _varying(settings: Sequence[dict[str, str]]) -> list[str]:
    names = dict.fromkeys(name for job in settings for name in job)
    return [name for name in names if len({job.get(name) for job in settings}) > 1]


def _outcome(job: Run) -> list[str]:
    figures = ["" if (value := job.metrics.get(name)) is None else text.format(value) for name, text in SHOWN.items()]
    return [f"[{COLOURS.get(job.status, 'red')}]{job.status}[/]", *figures, f"{job.seconds or 0:.0f} s"]
