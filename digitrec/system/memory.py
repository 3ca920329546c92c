"""How much memory a network may take, held against while it is being built."""

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

BYTES = 4  # of a weight
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container on Linux; "max" where there is none


class TooLargeError(ValueError):
    """A network whose weights would take more memory than it may have."""


class Allowance(TorchFunctionMode):
    """Lets modules that are built within it make weights of so many bytes, and refuses those beyond before they exist.

    Left to itself, the system would grant more than it has, and end the process or its neighbours later.

    Args:
        most: bytes.

    Raises:
        TooLargeError: on the first weights too many.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = self._left = most

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch in place of each of its functions."""
        if func is torch.empty:  # from which all layers of torch make their weights
            size = (kwargs or {}).get("size", args[0] if args and isinstance(args[0], Sequence) else args)
            self._left -= BYTES * math.prod(size)
            if self._left < 0:
                needed = self._most - self._left
                raise TooLargeError(
                    f"{needed / 2**30:,.1f} GiB of weights or more, and {self._most / 2**30:,.1f} GiB is the most here"
                )
        return func(*args, **(kwargs or {}))


def memory() -> int:
    """Bytes of memory that this process may use at most, as far as the system tells."""
    if not hasattr(os, "sysconf"):
        return sys.maxsize
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        total = min(total, int(LIMIT.read_text()))
    return total


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that there is no more memory, the system's or a device's."""
    words = ("can't allocate memory", "not enough memory")  # torch's own on Linux and on Windows
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(text in str(error) for text in words)
