"""How much memory there is, and whether a network's weights fit into it."""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container on Linux; "max" where there is none


class TooLargeError(ValueError):
    """A network whose weights would take more memory than it may have."""


def check_size(build: Callable[[], object], limit: int) -> None:
    """Build a network without memory for its weights, and add up what they would take.

    Left to itself, the system would grant more than it has, and end the process or its neighbours later.

    Args:
        build: makes the network. One that cannot be built on torch's meta device is not checked.
        limit: bytes.

    Raises:
        TooLargeError: the weights would take more.
        Exception: whatever else the network's constructor raises.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):  # loading weights into nothing warns
            network = build()
    except RuntimeError as error:
        if "overflow" in str(error):  # of a single tensor's size
            raise TooLargeError(f"its weights take more than {limit / 2**30:,.1f} GiB, the most here") from None
        return
    if not isinstance(network, nn.Module):
        return
    needed = sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))
    if needed > limit:
        raise TooLargeError(f"{needed / 2**30:,.1f} GiB of weights, and {limit / 2**30:,.1f} GiB is the most here")


def available_memory() -> int:
    """Bytes of memory that this process may use, as far as the system reports it."""
    if not hasattr(os, "sysconf"):
        return sys.maxsize
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        total = min(total, int(LIMIT.read_text()))
    return total


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that the system or a device is out of memory."""
    texts = ("can't allocate memory", "not enough memory")  # torch's, on Linux and on Windows
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(text in str(error) for text in texts)
