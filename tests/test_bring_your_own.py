"""The examples of docs/BRING_YOUR_OWN.md run as they stand, but shorter."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.command import Command, only_run
from tests.pictures import draw_pictures

PAGE = (Path(__file__).parents[1] / "docs" / "BRING_YOUR_OWN.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^\$ python -m digitrec.train (.*)$", PAGE, re.MULTILINE)
ALLOWED = re.findall(r"^\$ export DIGITREC_ALLOW=(.*)$", PAGE, re.MULTILINE)
SHORTER = ("trainer.accelerator=cpu", "trainer.max_epochs=1", "test=false")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the page describes; blocks of one file follow one another."""
    for name, content in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(content)
    draw_pictures(tmp_path / "pictures")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my", raising=False)
    monkeypatch.setenv("DIGITREC_ALLOW", *ALLOWED)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.slow] if "model=timm" in command or "torchvision" in command else [])
        for command in COMMANDS
    ],
)
def test_an_example_trains(command: str, folder: Path, run_train: Command) -> None:
    if "model=timm" in command:
        pytest.importorskip("timm", reason="needs timm")
    small = [] if "data=folder" in command else ["data.limit=60"]
    outcome = run_train(*shlex.split(command), *SHORTER, *small, code=0)
    assert ("epoch 1\n" in outcome.out) == ("my.Say" in command)
    assert (only_run(folder) / "lines.txt").exists() == ("my.Lines" in command)


def test_there_is_an_example_of_every_part() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:-1]
    assert {section.partition("\n")[0] for section in sections if "$ python" not in section} <= {"Metric"}
