"""One run of digitrec.train in a process of its own, which reports validation metrics."""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from digitrec.errors import DigitrecError
from digitrec.run_folder.record import close_record, read_record
from digitrec.system.process import die_with_parent
from digitrec.system.signals import CODES, describe_exit

OUTPUT = "terminal.log"
ERROR = "error: "  # how a command's errors begin
# A server imports torch once, and each job is a copy of it; where systems have none, a job imports for itself.
FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()
PRELOADED = [
    "digitrec.launch.command",
    "digitrec.build",
    "sklearn.datasets",  # for data=digits, which has nothing else to wait for
    *(f"digitrec.training.{name}" for name in ("continuation", "progress", "results", "tensorboard", "trial")),
]
CONTEXT: Any = multiprocessing.get_context("forkserver" if FORKSERVER else "spawn")


class Point(NamedTuple):
    """A point of a validation curve: epoch counted from 1, metric, whether it is the last epoch."""

    epoch: int
    value: float
    last: bool


class Job:
    """A run that is going on.

    Args:
        arguments: of digitrec.train.
        folder: of the run; its output goes into `OUTPUT` there.
    """

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.waits = False  # for an answer
        self.connection: Connection
        self.connection, theirs = CONTEXT.Pipe()
        if FORKSERVER:
            CONTEXT.set_forkserver_preload(PRELOADED)
        self._process = CONTEXT.Process(target=_train, args=(list(arguments), folder, theirs), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def signs(self) -> tuple[Connection, int]:
        """What `multiprocessing.connection.wait` finds ready when there is a point, or when the run has ended."""
        return self.connection, self._process.sentinel

    def point(self, seconds: float | None = None) -> Point | None:
        """The next point of its curve, waited for; None once there will be no more, or when so much time has passed.

        A process that the run left behind may hold the connection open, so that the run has ended counts as well.
        """
        wait(self.signs, seconds)
        try:
            if not self.connection.poll():
                return None
            self.waits = True
            return Point(*self.connection.recv())
        except (EOFError, OSError):
            return None

    def answer(self, *, go_on: bool) -> None:
        """Let it go on after a point, or have it end."""
        try:
            self.connection.send(go_on)
            self.waits = False
        except OSError:  # it has ended meanwhile; `failure` gives the reason
            return

    def end(self) -> None:
        """Make it save a checkpoint and end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it and the processes that it started, at once."""
        self._process.kill()
        if sys.platform != "win32" and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended; whether it has."""
        self._process.join(seconds)
        return self._process.exitcode is not None

    def failure(self) -> str | None:
        """Why it failed, None if it did not; to be asked when it has ended."""
        code = self._process.exitcode or 0
        if code == 0:
            return None
        if code < 0:
            close_record(self.folder, DigitrecError(describe_exit(code)))
        try:
            record = read_record(self.folder)
        except DigitrecError:
            return _last_line(self.folder / OUTPUT).removeprefix(ERROR) or (
                describe_exit(code) if code < 0 else f"exit code {code}"
            )
        if record["status"] == "interrupted" or code in CODES:
            return "its process was ended by a signal"
        output = _last_line(self.folder / OUTPUT)  # a full disk keeps the record as it was
        last = output.removeprefix(ERROR) if output.startswith(ERROR) else f"exit code {code}"
        return str(record.get("error", last)).strip().partition("\n")[0]


def _last_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _train(arguments: list[str], folder: Path, search: Connection) -> None:
    """What the process does: run the command as if it had been typed."""
    if sys.platform != "win32":
        os.setpgid(0, 0)  # a terminal's Ctrl-C goes to the search, and from there here once
    die_with_parent(signal.SIGTERM)
    _redirect(folder / OUTPUT)

    from digitrec.training.trial import TrialCurve

    def should_continue(epoch: int, value: float, last: bool) -> bool:
        try:
            search.send((epoch, value, last))
            return bool(search.recv())
        except (EOFError, OSError):  # the search is gone: save, and end
            os.kill(os.getpid(), signal.SIGTERM)
            return True

    TrialCurve.should_continue = should_continue
    sys.argv = ["digitrec.train", *arguments]
    sys.orig_argv = [sys.executable, "-m", *sys.argv]  # for the record's command
    runpy.run_module("digitrec.train", run_name="__main__")


def _redirect(file: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
