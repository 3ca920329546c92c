"""What a run's process does in place of a training: little, and at once."""

import json
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

EPOCHS = 3


def come_to_half(arguments: list[str], folder: Path, search: Connection) -> None:
    """Tell a curve of 0.5, and leave the record of a run that came to that; at once if it is there already."""
    if not (folder / "metrics.json").exists():
        _tell(search)
        (folder / "metrics.json").write_text(json.dumps({"val/accuracy": 0.5}))


def leave_a_child(arguments: list[str], folder: Path, search: Connection) -> None:
    """The same, and leave a process behind that holds the connection."""
    _leave_a_child()
    come_to_half(arguments, folder, search)


def end_between_points(arguments: list[str], folder: Path, search: Connection) -> None:
    """The same as a training does when a signal ends it: not while it waits for an answer."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    come_to_half(arguments, folder, search)


def hear_no_signal(arguments: list[str], folder: Path, search: Connection) -> None:
    """Neither end when told to nor come to anything, nor let a child do."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _leave_a_child()
    time.sleep(100)


def _tell(search: Connection) -> None:
    for epoch in range(1, EPOCHS + 1):
        search.send((epoch, 0.5, epoch == EPOCHS))
        if not search.recv():
            return


def _leave_a_child() -> None:
    os.setpgid(0, 0)
    if os.fork() == 0:
        time.sleep(100)
        os._exit(0)
