"""Choose runs, list them, and delete them."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from rich.markup import escape
from rich.table import Table

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.filters import chosen
from digitrec.run_folder.formatting import format_size, format_time
from digitrec.run_folder.ranking import data_of, first_of_each, ranked
from digitrec.run_folder.reading import Note
from digitrec.run_folder.record import LOCK, RECORD
from digitrec.run_folder.run import Run, is_held
from digitrec.run_folder.tables import console
from digitrec.system.wording import printable

AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
OLDEST = timedelta(days=36_500)


@dataclass(frozen=True)
class Selection:
    """Which runs to delete: those to which all of this applies.

    Attributes:
        where: expressions, as for the filter.
        keep: of the runs that fit `where`, so many of the best by `metric` stay of each data set, and those without it
            that have finished or can be resumed. None keeps no run for its metric.
        metric: name.
        older: only runs that began before so much time.
    """

    where: Sequence[str] = ()
    keep: int | None = None
    metric: str = ""
    older: timedelta | None = None

    @property
    def empty(self) -> bool:
        """Whether it has no condition."""
        return not self.where and self.keep is None and self.older is None


def parse_age(text: str) -> timedelta:
    """`30d`, `12h`, `2w` or `90m` as a length of time; ValueError for anything else."""
    found = AGE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a number of m(inutes), h(ours), d(ays) or w(eeks) such as 30d, got {text}")
    try:
        age = timedelta(**{UNITS[found.group(2)]: float(found.group(1))})
    except OverflowError:
        age = timedelta.max
    if age > OLDEST:
        raise ValueError(f"expected at most {OLDEST.days}d, got {text}")
    return age


def select(runs: Sequence[Run], selection: Selection, now: datetime | None = None) -> list[Run]:
    """The runs to delete, never one that is running.

    Raises:
        UsageError: the selection is empty, or names what no run has.
    """
    if selection.empty:
        raise UsageError("choose runs: --where status=failed, --keep-best 5 or --older-than 30d")
    fitting = chosen(runs, selection.where)
    kept = _kept(fitting, selection)
    latest = (now or datetime.now(UTC)) - (selection.older or timedelta())
    return [
        run
        for run in fitting
        if run.folder not in kept and run.status != "running" and (selection.older is None or _began(run) < latest)
    ]


def _kept(runs: Sequence[Run], selection: Selection) -> set[Path]:
    """Folders of the runs that stay for their metric."""
    if selection.keep is None:
        return set()
    having = [run for run in ranked(runs, selection.metric) if selection.metric in run.metrics]
    best = first_of_each(having, map(data_of, having), selection.keep)
    unranked = [run for run in runs if run.status != "failed" and selection.metric not in run.metrics]
    return {run.folder for run in [*best, *unranked]}


def folder_size(folder: Path) -> int:
    """Bytes of the files in a run folder, without what links in it point to.

    Raises:
        DigitrecError: the folder is a link, another run lies below it, or it cannot be read.
    """
    if folder.is_symlink():
        raise DigitrecError(f"{folder}: a link, not a folder; not deleted")
    total = 0
    try:
        for place, _, names in os.walk(folder):
            if RECORD in names and Path(place) != folder:
                raise DigitrecError(f"{folder}: it holds another run, {place}; not deleted")
            total += sum((Path(place) / name).lstat().st_size for name in names)
    except (OSError, RecursionError) as error:  # the second: in folders a thousand deep
        raise DigitrecError(f"{folder}: cannot be read: {error}; not deleted") from error
    return total


def delete(folder: Path) -> None:
    """Delete a run folder, its record last: after an interruption it is still a run, and can be deleted again.

    Links in it are removed; what they point to stays.

    Raises:
        DigitrecError: it is no run folder, the run goes on, or a file cannot be deleted.
    """
    if not (folder / RECORD).is_file():
        raise DigitrecError(f"{folder}: no {RECORD} in it, so this is no run; not deleted")
    if is_held(folder):
        raise DigitrecError(f"{folder}: this run is going on; not deleted")
    folder_size(folder)
    lock = FileLock(folder / LOCK)  # so that nothing resumes the run meanwhile
    try:
        with lock.acquire(blocking=False):
            _empty(folder, but=(RECORD, LOCK))
            (folder / RECORD).unlink()
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()
    except Timeout:
        raise DigitrecError(f"{folder}: this run is going on; not deleted") from None
    except OSError as error:
        raise DigitrecError(f"{folder}: cannot be deleted: {error}") from error


def print_selection(sizes: Sequence[tuple[Run, int]]) -> None:
    """A row per run to delete, with its size."""
    table = Table()
    for head in ("run", "status", "size", "started", "folder"):
        table.add_column(head, justify="right" if head == "size" else "left", overflow="fold")
    for run, count in sizes:
        table.add_row(
            escape(run.name),
            escape(run.status),
            format_size(count),
            format_time(run.start),
            escape(printable(str(run.folder))),
        )
    console().print(table)


def delete_all(runs: Sequence[Run], note: Note) -> list[Run]:
    """Delete runs one by one; returns the deleted ones. Each that cannot be deleted is noted."""
    deleted = []
    for run in runs:
        try:
            delete(run.folder)
        except DigitrecError as error:
            note(str(error))
        else:
            deleted.append(run)
    return deleted


def _began(run: Run) -> datetime:
    """When a run began; an unknown start counts as new."""
    try:
        began = datetime.fromisoformat(run.start)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return began if began.tzinfo else began.replace(tzinfo=UTC)


def _empty(folder: Path, but: Sequence[str]) -> None:
    for entry in list(os.scandir(folder)):
        if entry.name in but:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            Path(entry.path).unlink()
