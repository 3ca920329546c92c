"""Contenders take turns: each waits in a process of its own, and does an epoch when it is asked to.

A machine's speed drifts within minutes. Epochs that follow each other within seconds can still be compared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Self

ROOT = Path(__file__).parents[3]


class Laps:
    """The contender's side: its epochs, each begun by a line of `requests`, its rate reported.

    Args:
        number: of epochs.
        requests: a stream with a line for each.
        rates: a stream for a line of images per second for each.

    Attributes:
        images: of an epoch, set by the contender.
    """

    def __init__(self, number: int, requests: IO[str], rates: IO[str]) -> None:
        self.number = number
        self.images = 0
        self._requests = requests
        self._rates = rates
        self._start: float | None = None

    def begin(self) -> None:
        """End the lap before, if there was one, and wait until the next is asked for."""
        self.end()
        if not self._requests.readline():
            raise SystemExit("no further epoch is asked for")
        self._start = time.perf_counter()

    def end(self) -> None:
        """Report the rate of the lap, if one has begun."""
        if self._start is not None:
            print(self.images / (time.perf_counter() - self._start), file=self._rates, flush=True)
            self._start = None


class Contender:
    """The benchmark's side: a contender in a process of its own, which starts at once.

    Args:
        name: one of `scripts.measure.benchmark.contenders.CONTENDERS`, or keras.
        laps: epochs that it will be asked for, no more and no less.
    """

    def __init__(self, name: str, laps: int) -> None:
        self._name = name
        self._chatter = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115  # lives as long as the process
        command = [sys.executable, "-m", "scripts.measure.benchmark.contenders", name, str(laps)]
        if name == "keras":
            from digitrec.data.datasets import data_root

            files = str(data_root(None) / "MNIST" / "raw")
            command = [os.environ["KERAS_PYTHON"], "-m", "scripts.measure.benchmark.keras_fit", str(laps), files]
        self._process = subprocess.Popen(  # our own command
            command, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._chatter, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()
        if kind is None and self._process.returncode:
            raise self._failure()
        self._chatter.close()

    def lap(self) -> float:
        """Images per second of one epoch; afterwards the contender is stopped, since some spin while they wait."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.send_signal(signal.SIGCONT)
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            rate = float(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self._process.wait()
            raise self._failure() from None
        self._process.send_signal(signal.SIGSTOP)
        return rate

    def _failure(self) -> ChildProcessError:
        self._chatter.seek(0)
        return ChildProcessError(
            f"{self._name}: exit status {self._process.returncode}\n{self._chatter.read()[-2000:]}"
        )
