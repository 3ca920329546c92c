"""Signals that ask a program to end: who hears them, and the exit codes that tell of them."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

WORDS = {
    "SIGHUP": "hung up",
    "SIGINT": "interrupted",
    # By one of these SLURM warns a job of its time limit: sbatch --signal=USR1@120.
    "SIGUSR1": "ended before its time limit",
    "SIGUSR2": "ended before its time limit",
    "SIGTERM": "terminated",
}
ENDING = {getattr(signal, name): said for name, said in WORDS.items() if hasattr(signal, name)}  # Windows lacks some
CODES = {128 + number: said for number, said in ENDING.items()}  # of a program that one has ended, as shells have it


def hear(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """Have a handler called for every signal that would end this program; those before it, for `restore`.

    What nohup, or a shell for what it runs in the background, has ignored stays so.
    """
    return {number: signal.signal(number, handler) for number in ENDING if signal.getsignal(number) != signal.SIG_IGN}


def restore(handlers: Mapping[int, Any]) -> None:
    """Give the signals back to the handlers that `hear` has replaced."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals that would end this program wait for the end of a block that is not to be left half-way.

    Other threads than the main one hear none anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    handlers = hear(lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        restore(handlers)
        if heard:
            signal.raise_signal(heard[0])


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the program as a signal asks; a handler of signals."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def signal_exit_code(error: BaseException) -> int | None:
    """Exit code of a program that a signal ended; None for any other error."""
    match error:
        case KeyboardInterrupt():
            return 128 + signal.SIGINT
        case SystemExit() if isinstance(error.__context__, KeyboardInterrupt):  # how Lightning passes it on
            return 128 + signal.SIGINT
        case SystemExit(code=int(code)) if code in CODES:
            return code
        case _:
            return None


def death(code: int) -> str:
    """What became of a process that ended without a word, by its exit code, negative for a signal's number."""
    if code >= 0:
        return f"its process ended itself, with exit code {code}"
    hint = "; the system does so when memory runs out" if code == -signal.SIGKILL else ""
    return f"its process was killed by {signal.Signals(-code).name}{hint}"
