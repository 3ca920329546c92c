"""What all commands have in common."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from digitrec.__main__ import COMMANDS, main

SCRIPTS = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]


def test_every_command_is_listed_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["digitrec"])
    with pytest.raises(SystemExit) as ended:
        main()
    *lines, _ = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert [re.split(r" {2,}| (?=[A-Z])", line)[0].strip() for line in lines] == [
        f"python -m digitrec.{c}" for c in COMMANDS
    ]
    assert {"digitrec", *(f"digitrec-{command}" for command in COMMANDS)} == set(SCRIPTS)


@pytest.mark.parametrize(
    ("words", "told"), [(["train", "model=mlp"], "type python -m digitrec.train"), (["x"], "lists")]
)
def test_a_command_after_a_space_is_named_as_it_is_typed(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["digitrec", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "runs"])  # one of Hydra's, one of argparse's
def test_the_version_is_ours_and_of_what_trains(command: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", f"digitrec.{command}", "--version"], capture_output=True, text=True, check=True
    )
    assert (
        ended.stdout == f"digitrec {version('digitrec')}, torch {version('torch')}, lightning {version('lightning')}\n"
    )
