"""Running our own commands, and reading what they leave."""

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

NAMESPACE = ["unshare", "--user"]  # where root has no more rights than anybody
MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]  # where anybody may mount file systems
QUICK = ("data=digits", "trainer.accelerator=cpu", "trainer.max_epochs=1")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    def expect(self, code: int | None) -> "Outcome":
        """This outcome, if it has this exit code."""
        assert code in (None, self.code), self
        return self

    def assert_refused(self, *words: str, code: int = 2, lines: int = 1) -> None:
        """Nothing but a message of so many lines at most, with all of these words."""
        assert self.code == code, self
        assert 1 <= len(self.err.splitlines()) <= lines, self.err
        assert "Traceback" not in self.err
        assert all(word in self.err for word in words), (words, self.err)


Command = Callable[..., Outcome]


def run_command(*command: str | Path, code: int | None = None, **options: Any) -> Outcome:
    """Run a command to its end, which has to be with this exit code."""
    done = subprocess.run(command, **{"capture_output": True, "text": True, "check": False} | options)
    return Outcome(done.returncode, done.stdout, done.stderr).expect(code)


def only_run(folder: Path) -> Path:
    """The one run folder below outputs/train."""
    (run,) = (folder / "outputs" / "train").iterdir()
    return run


def read_json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def works(command: list[str]) -> bool:
    """Whether this system lets us run something by a command."""
    return shutil.which(command[0]) is not None and not subprocess.run([*command, "true"], check=False).returncode


def processes_of(session: int) -> list[int]:
    """All that still run in a session, as Linux's /proc tells them."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            found[int(file.parent.name)] = file.read_text(errors="replace").rpartition(")")[2].split()
    return [
        process
        for process, (state, _, _, its_session, *_) in found.items()
        if its_session == str(session) and state != "Z"
    ]
