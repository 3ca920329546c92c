"""A run's metrics epoch by epoch, out of its TensorBoard events; read without torch and TensorFlow."""

from collections.abc import Iterator
from pathlib import Path

from digitrec.run_folder.records import read_records
from digitrec.run_folder.run import Run

Row = dict[str, float]
EPOCH_ENDS = ("train/loss", "val/loss")  # logged once, when an epoch ends


def read_epochs(folder: Path) -> list[Row]:
    """One row of metrics per epoch, `epoch` counted from 1; empty for a run that wrote no events.

    What a run wrote again after it was cut off counts in its last form. A file that breaks off, as that of a run
    which is still going on may, is read up to there, and so is one that is damaged.
    """
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


def progress(run: Run) -> str:
    """How far a run has come, as in "3/10"; empty where that can't be told."""
    rows, planned = read_epochs(run.folder), run.settings.get("trainer.max_epochs")
    of_how_many = f"/{planned}" if isinstance(planned, int) and planned > 0 else ""
    return f"{len(rows)}{of_how_many}" if rows or of_how_many else ""


def _scalars(file: Path) -> Iterator[tuple[int, str, float]]:
    """Step, name and value of each scalar in an events file."""
    from tensorboard.compat.proto.event_pb2 import Event  # a tenth of a second, and few commands need it

    try:
        content = file.read_bytes()
    except OSError:  # a link to nowhere, or closed to us
        return
    for record in read_records(content):
        event = Event.FromString(record)
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield event.step, value.tag, value.simple_value
