"""Searches on the embedded digits."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from digitrec.tune import __main__ as tune
from digitrec.tune.space import Dimension
from digitrec.tune.study import Study
from tests.command import Command, Outcome
from tests.forked import Forked

SPACE = (
    Dimension("optimizer.lr", "log_uniform", (0.001, 0.1)),
    Dimension("model.hidden", "choice", ("[8]", "[16]")),
    Dimension("model.dropout", "uniform", (0.0, 0.5)),
)
QUICK = (
    "model=mlp", "data=digits", "data.limit=300", "trainer.accelerator=cpu", "trainer.max_epochs=1", "logger=none",
    "model.hidden=[8]", "tune.model.hidden.choice=[[8],[16]]",
)  # fmt: skip


@pytest.fixture
def run_tune(run_main: Callable[..., Outcome]) -> Command:
    """`python -m digitrec.tune ...` in this process; its trials have their own."""
    return partial(run_main, tune.main)


@pytest.fixture
def start_tune(tmp_path: Path) -> Callable[..., Forked]:
    """The same in a process of its own, which leads a session."""

    def start(*arguments: str, **variables: str) -> Forked:
        return Forked("digitrec.tune", *arguments, cwd=tmp_path, env={**os.environ, **variables})

    return start


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """A study of three settings, without a training."""

    def make(folder: Path = tmp_path, **changes: Any) -> Study:
        return Study(
            folder, SPACE, **{"metric": "val/accuracy", "seed": 1, "prune": True, "warmup_epochs": 1, **changes}
        )

    return make
