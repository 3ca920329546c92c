"""Our own commands, in this process or in one of their own."""

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

from digitrec import evaluate, train
from digitrec.runs import __main__ as runs
from tests.command import THREADS, Command, Outcome, run_command, run_in

MNIST = Path(os.environ.get("DIGITREC_DATA_DIR", ""), "MNIST", "raw", "t10k-images-idx3-ubyte")
# Variables of a shell, a cluster's job or a git hook that would change what commands do or print.
FOREIGN = re.compile(
    "(DIGITREC|HYDRA|SLURM|TORCHELASTIC|GIT|OMP|GOMP|MKL|MPL)_?.*|.*_proxy|PYTHON(IOENCODING|WARNINGS|UNBUFFERED|DONTWRITEBYTECODE)"
    "|COLUMNS|LINES|TERM|.*COLOR|(LOCAL_)?RANK|WORLD_SIZE|MASTER_(ADDR|PORT)",
    re.IGNORECASE,
)


def pytest_configure() -> None:
    """Make this process, and those that tests start, independent of the shell; before anything imports torch."""
    for name in filter(FOREIGN.fullmatch, list(os.environ)):
        if name != "DIGITREC_HANDWRITING_DIR" and (name != "DIGITREC_DATA_DIR" or not MNIST.is_file()):
            del os.environ[name]
    settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
    settings.load_profile("untimed")
    # Each test worker has a core; two threads each would wait for one another. Tests that need two ask for them.
    os.environ[THREADS] = "1"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in its background
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the real data where they are not."""
    if item.get_closest_marker("mnist") and not MNIST.is_file():
        pytest.skip("need MNIST (DIGITREC_DATA_DIR)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped, and why."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    counts = (f"{count} {reason.removeprefix('Skipped: ')}" for reason, count in reasons.most_common())
    terminalreporter.write_line(f"skipped: {', '.join(counts) or 'none'}")


@pytest.fixture
def run_main(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """An entry point's main with `tmp_path` as working folder, in this process: imports cost once.

    With `code`, the exit code that it has to have.
    """

    def run(main: Callable[[], None], *arguments: str, code: int | None = None) -> Outcome:
        capsys.readouterr()  # what was printed before
        return Outcome(run_in(tmp_path, main, *arguments), *capsys.readouterr()).expect(code)

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
def run_runs(run_main: Callable[..., Outcome]) -> Command:
    """`python -m digitrec.runs ...`."""
    return partial(run_main, runs.main)


@pytest.fixture
def spawn_train(tmp_path: Path) -> Command:
    """The same in a process of its own."""

    return partial(run_command, sys.executable, "-m", "digitrec.train", cwd=tmp_path)
