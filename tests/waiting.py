"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 240) -> None:
    """Wait until something holds; the test fails if it never does."""
    patience = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < patience, "nothing came of it"
        time.sleep(0.05)
