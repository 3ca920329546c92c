"""Running our own commands, and reading what they leave."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

QUICK = ("data=digits", "trainer.accelerator=cpu", "trainer.max_epochs=1")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


def only_run(folder: Path) -> Path:
    """The one run folder below outputs/train."""
    (run,) = (folder / "outputs" / "train").iterdir()
    return run


def read_json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
