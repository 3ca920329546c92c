"""Progress of an evaluation on a terminal; nothing elsewhere."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def steps(parts: Sequence[T], task: str) -> Iterable[T]:
    """The same parts, with a progress bar called `task`; no bar if it is empty."""
    return track(parts, task, transient=True) if task and Console().is_terminal else parts


def busy(task: str) -> AbstractContextManager[Any]:
    """A spinner for a task of unknown length."""
    console = Console()
    return console.status(task) if console.is_terminal else nullcontext()
