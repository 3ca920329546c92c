"""The way from the command to the loss is short enough to read."""

import traceback
from pathlib import Path
from typing import Any

import pytest
from torch.nn import functional

import digitrec
from tests.command import Command

PACKAGE = Path(digitrec.__file__).parent
FRAMES = 6  # launch, job, task, train, the optimizer's step, training_step


def test_six_frames_of_ours_lie_between_the_command_and_the_loss(
    run_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[list[str]] = []
    cross_entropy = functional.cross_entropy

    def traced(*arguments: Any, **options: Any) -> Any:
        frames = traceback.extract_stack()
        stacks.append([frame.name for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)])
        return cross_entropy(*arguments, **options)

    monkeypatch.setattr(functional, "cross_entropy", traced)
    ended = run_train("data=digits", "model=mlp", "trainer.accelerator=cpu", "trainer.fast_dev_run=true", "test=false")
    assert ended.code == 0, ended.err
    steps = [stack for stack in stacks if "training_step" in stack]
    assert steps
    assert max(map(len, steps)) <= FRAMES, steps[0]
