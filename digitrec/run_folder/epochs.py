"""A run's metrics epoch by epoch: history.csv, or TensorBoard's events of versions before 0.2; without torch."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from digitrec.run_folder.run import Run
from digitrec.system.files import write_text

Row = dict[str, float]
HISTORY = "history.csv"
EPOCH_ENDS = ("train/loss", "val/loss")  # logged once, when an epoch ends


def write_epochs(folder: Path, rows: Sequence[Row]) -> None:
    """Write history.csv: one row of metrics per epoch; empty where an epoch has no such metric."""
    names = list(dict.fromkeys(["epoch", *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / HISTORY, text.getvalue())


def read_epochs(folder: Path) -> list[Row]:
    """One row of metrics per epoch, `epoch` counted from 1; empty for a run that left none."""
    try:
        with (folder / HISTORY).open(encoding="utf-8", newline="") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):  # missing or damaged
        return _epochs_of_events(folder)


def progress(run: Run) -> str:
    """Epochs of a run that are done, as in "3/10"; empty if unknown."""
    rows, planned = read_epochs(run.folder), run.settings.get("trainer.max_epochs")
    of_how_many = f"/{planned}" if isinstance(planned, int) and planned > 0 else ""
    return f"{len(rows)}{of_how_many}" if rows or of_how_many else ""


def _epochs_of_events(folder: Path) -> list[Row]:
    """The same from TensorBoard's files; what was written again after a run was cut off counts in its last form."""
    steps: dict[int, Row] = {}
    for file in sorted(folder.glob("events.out.tfevents.*"), key=lambda file: file.lstat().st_mtime):
        for step, name, value in _scalars(file):
            steps.setdefault(step, {})[name] = value
    ends = [steps[step] for step in sorted(steps) if any(name in steps[step] for name in EPOCH_ENDS)]
    rows: dict[int, Row] = {}
    for row in ends:
        epoch = int(row.get("epoch", len(rows))) + 1
        rows.setdefault(epoch, {}).update(row | {"epoch": float(epoch)})
    return list(rows.values())


def _scalars(file: Path) -> Iterator[tuple[int, str, float]]:
    """Step, name and value of each scalar in an events file, up to the end or to where it is damaged."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader  # takes a second to import
    from tensorboard.compat.proto.event_pb2 import Event

    with suppress(OSError):  # a link to nowhere, or closed to us
        for record in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(record)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    yield event.step, value.tag, value.simple_value
