"""The programs that work on a study, on this machine and on others that share its folder: which still run."""

import os
import platform
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = ".workers"
HEARTBEAT_S = 5.0  # between two heartbeats
TIMEOUT_S = 120.0  # without a heartbeat, after which a program on another machine counts as gone


class Worker:
    """This program: a locked file in the study's folder, touched at each heartbeat."""

    def __init__(self, study: Path) -> None:
        self.host = re.sub(r"[^\w.-]", "-", platform.node()) or "host"
        # A restarted container has the same name and the same process numbers.
        self.name = f"{self.host}_{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = study / FOLDER
        self._last_heartbeat = 0.0

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Keep the file for the length of the block."""
        self._folder.mkdir(exist_ok=True)
        with FileLock(self._folder / self.name):
            try:
                yield
            finally:
                (self._folder / self.name).unlink(missing_ok=True)

    def heartbeat(self, now: float) -> None:
        """Touch the file if it is due; `now` in seconds."""
        if now - self._last_heartbeat >= HEARTBEAT_S:
            self._last_heartbeat = now
            os.utime(self._folder / self.name)

    def is_gone(self, other: str) -> bool:
        """Whether another program, by its name, no longer works on the study."""
        if not other:  # it ended between proposing and noting its name, both under the study's lock
            return True
        file = self._folder / other
        if other == self.name or not file.exists():
            return other != self.name
        if other.rpartition("_")[0] == self.host:
            return _is_free(file)
        os.utime(self._folder / self.name)  # both times by the clock of the file system
        return (self._folder / self.name).stat().st_mtime - file.stat().st_mtime > TIMEOUT_S


def _is_free(file: Path) -> bool:
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True
