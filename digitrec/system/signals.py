"""Signals that end a program, and the exit codes that follow from them."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

MESSAGES = {
    "SIGHUP": "hung up",
    "SIGINT": "interrupted",
    # SLURM warns a job of its time limit by one of these: sbatch --signal=USR1@120.
    "SIGUSR1": "ended before its time limit",
    "SIGUSR2": "ended before its time limit",
    "SIGTERM": "terminated",
}
ENDING = {getattr(signal, name): text for name, text in MESSAGES.items() if hasattr(signal, name)}  # Windows lacks some
CODES = {128 + number: text for number, text in ENDING.items()}  # exit codes, as shells count them


def install_handlers(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """Call a handler for every ending signal that is not ignored (as nohup does); returns the handlers before."""
    return {number: signal.signal(number, handler) for number in ENDING if signal.getsignal(number) != signal.SIG_IGN}


def restore_handlers(handlers: Mapping[int, Any]) -> None:
    """Put back the handlers that `install_handlers` replaced."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextmanager
def blocked(numbers: Iterable[int] = tuple(ENDING)) -> Iterator[None]:
    """Have the system hold signals back from this thread, and from processes it starts, during the block."""
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


@contextmanager
def defer_signals() -> Iterator[None]:
    """Deliver ending signals after the block, not within it. Only the main thread receives signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = install_handlers(lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        restore_handlers(handlers)
        if received:
            signal.raise_signal(received[0])


def exit_on_signal(number: int, frame: FrameType | None = None) -> NoReturn:
    """End the program; a signal handler."""
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


def describe_exit(code: int) -> str:
    """Why a process ended without a message, from its exit code; a negative code is a signal's number."""
    if code >= 0:
        return f"its process ended itself, with exit code {code}"
    hint = "; the system does so when memory runs out" if code == -signal.SIGKILL else ""
    return f"its process was killed by {signal.Signals(-code).name}{hint}"
