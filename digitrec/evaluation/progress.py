"""What the terminal shows while an evaluation takes its time; nothing where nobody watches."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def steps(parts: Sequence[T], task: str) -> Iterable[T]:
    """The same parts, with a bar called `task`; none without a name."""
    return track(parts, task, transient=True) if task and Console().is_terminal else parts


def busy(task: str) -> AbstractContextManager[Any]:
    """A sign of life while something goes on whose length is not known."""
    console = Console()
    return console.status(task) if console.is_terminal else nullcontext()
