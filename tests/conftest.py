"""Our own commands, in this process or in one of their own."""

import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from digitrec import evaluate, train
from tests.command import Command, Outcome

THREADS = "OMP_NUM_THREADS"


def pytest_configure() -> None:
    """Hear the signals that a shell has had ignored for what it runs in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def run_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """An entry point's main with `tmp_path` as working folder, in this process: imports cost once."""

    def run(main: Callable[[], None], *arguments: str) -> Outcome:
        with monkeypatch.context() as patch, warnings.catch_warnings():
            for name in ("HYDRA_FULL_ERROR", "DIGITREC_TRACEBACK"):
                patch.setenv(name, "")
                patch.delenv(name)
            threads = os.environ.get(THREADS)
            patch.setenv(THREADS, threads or "")  # what an entry point sets ends with it
            if threads is None:
                patch.delenv(THREADS)
            patch.setattr(sys, "argv", ["digitrec", *arguments])
            patch.chdir(tmp_path)
            with pytest.raises(SystemExit) as stop:
                main()
        logging.getLogger().handlers.clear()  # Hydra's log file is that of a run which is over
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def run_train(run_main: Callable[..., Outcome]) -> Command:
    """`python -m digitrec.train ...`."""
    return partial(run_main, train.main)


@pytest.fixture
def run_evaluate(run_main: Callable[..., Outcome]) -> Command:
    """`python -m digitrec.evaluate ...`."""
    return partial(run_main, evaluate.main)


@pytest.fixture
def spawn_train(tmp_path: Path) -> Command:
    """The same in a process of its own."""

    def run(*arguments: str, **options: Any) -> Outcome:
        command = [sys.executable, "-m", "digitrec.train", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **options)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
