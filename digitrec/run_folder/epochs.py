"""A run's metrics epoch by epoch: history.csv, or TensorBoard's events of versions before 0.2; without torch."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digitrec.errors import DigitrecError
from digitrec.run_folder.ranking import order, usual_metric
from digitrec.run_folder.reading import Note, is_finite, unreadable
from digitrec.run_folder.run import Run
from digitrec.system.files import open_regular, read_text, write_text
from digitrec.system.wording import printable

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


def read_epochs(folder: Path, note: Note = lambda line: None) -> list[Row]:
    """One row of metrics per epoch, `epoch` counted from 1; a note for each file that is damaged."""
    try:
        with unreadable(file := folder / HISTORY):
            table = csv.DictReader(io.StringIO(read_text(file)), strict=True)
            return [_row(number, row) for number, row in enumerate(table, 1)]
    except FileNotFoundError:
        pass
    except DigitrecError as error:
        note(str(error))
    return _epochs_of_events(folder, note)


def _row(number: int, texts: Mapping[str | Any, str]) -> Row:
    if None in texts:
        raise ValueError("a row is longer than the heads")
    values = {printable(name): float(text) for name, text in texts.items() if text}
    return {"epoch": number, **{name: value for name, value in values.items() if is_finite(value)}}


@dataclass(frozen=True)
class Progress:
    """How far a run has come: epochs done, as in "3/10", empty if unknown, and the metrics of the best of them."""

    epochs: str = ""
    best: Mapping[str, float] = field(default_factory=dict)


def progress(run: Run) -> Progress:
    """How far a run has come that is not finished; of one that has ended only from history.csv."""
    if run.status == "finished" or (run.status != "running" and not (run.folder / HISTORY).is_file()):
        return Progress()  # TensorBoard's reader takes a second to import
    rows, planned = read_epochs(run.folder), run.settings.get("trainer.max_epochs")
    extended = run.settings.get("extend")
    more = sum(part for part in (extended if isinstance(extended, list) else [extended]) if isinstance(part, int))
    of_how_many = f"/{planned + more}" if isinstance(planned, int) and planned > 0 else ""
    best = min(rows, key=lambda row: order(row, usual_metric([run])), default={})
    return Progress(f"{len(rows)}{of_how_many}" if rows or of_how_many else "", best)


def _epochs_of_events(folder: Path, note: Note) -> list[Row]:
    """The same from TensorBoard's files; what was written again after a run was cut off counts in its last form."""
    steps: dict[int, Row] = {}
    for file in sorted(folder.glob("events.out.tfevents.*"), key=lambda file: file.lstat().st_mtime):
        for step, name, value in _scalars(file, note):
            steps.setdefault(step, {})[name] = value
    ends = [steps[step] for step in sorted(steps) if any(name in steps[step] for name in EPOCH_ENDS)]
    rows: dict[int, Row] = {}
    for row in ends:
        epoch = int(row.get("epoch", len(rows))) + 1
        rows.setdefault(epoch, {}).update(row | {"epoch": float(epoch)})
    return list(rows.values())


def _scalars(file: Path, note: Note) -> Iterator[tuple[int, str, float]]:
    """Step, name and value of each scalar in an events file, up to the end or to where it is damaged."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader  # takes a second to import
    from tensorboard.compat.proto.event_pb2 import Event

    try:
        open_regular(file).close()  # tensorboard would wait for a pipe
        for record in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(record)
            for value in event.summary.value:
                if value.HasField("simple_value") and is_finite(value.simple_value):
                    yield event.step, printable(value.tag), value.simple_value
    except (OSError, MemoryError, OverflowError, DecodeError) as error:  # the second two: a record of a wrong length
        note(f"{file}: cannot be read to its end: {getattr(error, 'strerror', None) or error}")
