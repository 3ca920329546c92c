"""One job of a sweep in a process of its own: whatever becomes of it, the jobs beside and after it go on."""

import importlib
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from digitrec.errors import DigitrecError
from digitrec.process import die_with_parent
from digitrec.training.run_record import by_signal, close_record

log = logging.getLogger("run")

CAN_FORK = sys.platform == "linux"  # elsewhere libraries are not made for it, and a fresh process would forget Hydra
PATIENCE = 60.0  # seconds that jobs have to save and end


class SweepEnd:
    """Whether the sweep that this process works for has been told to end."""

    asked = False


def run_apart(task: Callable[[], float | None], run_dir: Path) -> float | None:
    """Value of the task's objective, from a process that does nothing else.

    Raises:
        Exception: what the task raised.
        DigitrecError: its process died, or was told to end while the sweep was not.
        KeyboardInterrupt: the sweep was told to end.
    """
    if SweepEnd.asked:
        raise KeyboardInterrupt
    importlib.import_module("digitrec.build")  # torch once for all jobs of this process; it may not be used here
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_run, args=(task, sender, os.getpid()))
    process.start()
    sender.close()
    try:
        outcome: float | BaseException | None = receiver.recv()
    except EOFError:
        process.join()
        outcome = DigitrecError(_death(process.exitcode or 0))
        log.error("%s", outcome)  # noqa: TRY400 - the stack of this process tells nothing
        close_record(run_dir, outcome)
    process.join()
    if isinstance(outcome, BaseException):
        alone = by_signal(outcome) and not SweepEnd.asked
        raise DigitrecError("its process was told to end") if alone else outcome
    return outcome


def work_for_sweep() -> None:
    """Have this process, which is not the sweep's own, begin no more jobs once the sweep ends."""
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGINT, _note_end)


def end_jobs(number: int) -> None:
    """Pass a signal on to every job of this process and of its workers, and wait until they have ended."""
    SweepEnd.asked = True
    found = _processes()
    for worker in _workers(found) - {os.getpid()}:
        _send(worker, signal.SIGINT)
    for job in _jobs(found):
        _send(job, number)
    patience = time.monotonic() + PATIENCE
    while _jobs(_processes()) and time.monotonic() < patience:
        time.sleep(0.05)


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the program as a signal asks."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _run(task: Callable[[], float | None], sender: Connection, parent: int) -> None:
    os.setpgid(0, 0)  # a terminal's Ctrl-C goes to the process that started the sweep, and from there here once
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    die_with_parent(signal.SIGTERM, parent)  # with time to save a checkpoint
    try:
        outcome: float | BaseException | None = task()
    except BaseException as error:  # the parent decides
        outcome = error
    try:
        sender.send(outcome)
    except Exception:  # an error of somebody else's that can't travel
        sender.send(DigitrecError(f"{type(outcome).__name__}: {outcome}"))


def _death(code: int) -> str:
    if code >= 0:
        return f"its process ended itself, with exit code {code}"
    hint = "; the system does so when memory runs out" if code == -signal.SIGKILL else ""
    return f"its process was killed by {signal.Signals(-code).name}{hint}"


def _note_end(number: int, frame: FrameType | None) -> None:
    SweepEnd.asked = True


def _send(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


class _Process(NamedTuple):
    parent: int
    group: int


def _processes() -> dict[int, _Process]:
    """All that run, by their numbers."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent, group, *_ = file.read_text().rpartition(")")[2].split()
            if state != "Z":
                found[int(file.parent.name)] = _Process(int(parent), int(group))
    return found


def _workers(found: Mapping[int, _Process]) -> set[int]:
    return {os.getpid(), *(number for number, process in found.items() if process.parent == os.getpid())}


def _jobs(found: Mapping[int, _Process]) -> list[int]:
    """Those that a worker has started and that lead a group of their own."""
    workers = _workers(found)
    return [number for number, process in found.items() if process.parent in workers and process.group == number]
