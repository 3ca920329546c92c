"""Read a run folder."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digitrec.config.overrides import key_of
from digitrec.errors import DigitrecError
from digitrec.run_folder.reading import Note, is_finite, read_json
from digitrec.run_folder.record import LOCK, MAX_DURATION_S, read_record
from digitrec.run_folder.settings import read_overrides, read_settings
from digitrec.system.files import open_regular
from digitrec.system.wording import printable

TRAINING, EVALUATION, OTHER = "training", "evaluation", "other"


@dataclass(frozen=True)
class Run:
    """What a run folder holds.

    Attributes:
        folder: as it was found, not made absolute.
        status: finished, failed, interrupted, running, or killed: recorded as running, but no process holds it.
        record: run.json without its settings.
        metrics: metrics.json, those that are numbers; names as in TensorBoard.
        settings: values by dotted names, options by the names of their groups.
        name: short, and unique among the runs that were found with it.
        overridden: names of the settings given on its command line.
    """

    folder: Path
    status: str
    record: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    overridden: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """TRAINING, EVALUATION, or OTHER: a benchmark."""
        if "checkpoints" in self.record or "checkpoint" in self.settings:
            return EVALUATION
        return OTHER if (self.folder / "benchmark.json").exists() else TRAINING

    @property
    def seed(self) -> int | None:
        """Seed of the random numbers."""
        seed = self.record.get("seed", self.settings.get("seed"))
        return seed if isinstance(seed, int) else None

    @property
    def fold(self) -> int | None:
        """The fold that it held out; None without cross-validation."""
        fold = self.settings.get("data.fold")
        return fold if isinstance(fold, int) else None

    @property
    def start(self) -> str:
        """When it first began, ISO 8601 in UTC; empty if unknown."""
        return str(self.record.get("start", ""))

    @property
    def seconds(self) -> float | None:
        """Duration, resumed parts included; None if unknown."""
        seconds = self.record.get("duration_s")
        return seconds if isinstance(seconds, int | float) and 0 <= seconds < MAX_DURATION_S else None

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of a person."""
        found = self.record.get("tags", self.settings.get("tags"))
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @property
    def note(self) -> str:
        """Note of a person; empty if none."""
        return str(self.record.get("note", self.settings.get("note")) or "").strip()

    @property
    def error(self) -> str:
        """First line of its error; empty if none."""
        return str(self.record.get("error", "")).strip().partition("\n")[0]


def read_run(folder: Path, note: Note = lambda line: None) -> Run:
    """Read a run folder.

    Args:
        folder: with a run.json.
        note: gets a line for each other file that is damaged; the run then lacks what was in it.

    Raises:
        DigitrecError: run.json can't be read or is no record of a run.
    """
    record = read_record(folder)
    status = printable(str(record["status"]))
    if status == "running" and not is_held(folder, note):
        status = "killed"
    metrics = read_metrics(folder, note, due=status == "finished")
    try:
        settings, overrides = _composed(folder, record)
    except DigitrecError as error:
        note(str(error))
        settings, overrides = {}, []
    return Run(folder, status, record, metrics, settings, overridden=frozenset(map(key_of, overrides)))


def _composed(folder: Path, record: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Settings and overrides of a run, taken out of its record; from `.hydra` for a run of a version before 0.2."""
    settings, overrides = record.pop("settings", None), record.pop("overrides", None)
    if isinstance(settings, dict) and isinstance(overrides, list):
        return settings, list(map(str, overrides))
    return read_settings(folder), read_overrides(folder)


def is_held(folder: Path, note: Note = lambda line: None) -> bool:
    """Whether a process is running in a folder, or cannot be known; creates and changes nothing."""
    if sys.platform == "win32":
        return True  # unknown without taking the lock, so assume it
    import fcntl

    try:
        with open_regular(folder / LOCK) as lock:  # closing it releases the lock
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        note(f"{folder / LOCK}: cannot be read: {error.strerror}; the run may be going on")
        return True
    return False


def read_metrics(folder: Path, note: Note = lambda line: None, *, due: bool = False) -> dict[str, float]:
    """Metrics of a run that are finite numbers, by name; empty if there are none.

    Args:
        folder: of the run.
        note: gets a line if they cannot be read.
        due: a missing file is noted too.
    """
    file = folder / "metrics.json"
    try:
        content = read_json(file)
    except FileNotFoundError:
        if due:
            note(f"{file}: missing, though the run is finished")
        return {}
    except DigitrecError as error:
        note(str(error))
        return {}
    if not isinstance(content, dict):
        note(f"{file}: expected metrics by name")
        return {}
    return {name: value for name, value in content.items() if is_finite(value)}


def try_run(folder: Path, note: Note) -> Run | None:
    """The run in a folder; None, and a note, if it cannot be read."""
    try:
        return read_run(folder, note)
    except DigitrecError as error:
        note(str(error).partition(";")[0])
        return None
