"""Running our own commands, and reading what they leave."""

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

NAMESPACE = ["unshare", "--user"]  # where root has no more rights than anybody
MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]  # where anybody may mount file systems
THREADS = "OMP_NUM_THREADS"
QUICK = ("data=digits", "trainer.accelerator=cpu", "trainer.max_epochs=1")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    def expect(self, code: int | None) -> "Outcome":
        """This outcome, if it has this exit code."""
        assert code in (None, self.code), self
        return self

    def assert_refused(self, *parts: str, code: int = 2, lines: int = 1) -> None:
        """Nothing but a message of so many lines at most, with all of these parts."""
        assert self.code == code, self
        assert 1 <= len(self.err.splitlines()) <= lines, self.err
        assert "Traceback" not in self.err
        assert all(part in self.err for part in parts), (parts, self.err)


Command = Callable[..., Outcome]


def run_in(folder: Path, main: Callable[[], None], *arguments: str) -> int:
    """The exit code of an entry point's main with `folder` as working folder, in this process: imports cost once."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        for name in ("HYDRA_FULL_ERROR", "DIGITREC_TRACEBACK"):
            patch.setenv(name, "")
            patch.delenv(name)
        patch.setenv(THREADS, os.environ[THREADS])  # what an entry point sets ends with it
        patch.setattr(sys, "argv", ["digitrec", *arguments])
        patch.chdir(folder)
        with pytest.raises(SystemExit) as stop:
            main()
    logging.getLogger().handlers.clear()  # Hydra's log file is that of a run which is over
    assert isinstance(stop.value.code, int)
    return stop.value.code


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


def with_module(folder: Path, code: str) -> dict[str, str]:
    """An environment in which the module `faults` of this code can be imported and named by settings."""
    (folder / "faults.py").write_text(code)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}", "DIGITREC_ALLOW": "faults"}


def write_experiment(folder: Path, content: str | bytes) -> tuple[str, str]:
    """Write an experiment file of a person's own; the arguments that choose it."""
    (folder / "conf" / "experiment").mkdir(parents=True, exist_ok=True)
    file = folder / "conf" / "experiment" / "mine.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return "--config-dir=conf", "experiment=mine"


def contents(folder: Path) -> dict[Path, bytes]:
    """What each file below a folder holds."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def works(command: list[str]) -> bool:
    """Whether this system lets us run something by a command."""
    return shutil.which(command[0]) is not None and not subprocess.run([*command, "true"], check=False).returncode


def processes_of(session: int) -> list[int]:
    """All that still run in a session, as Linux lists them in /proc."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            found[int(file.parent.name)] = file.read_text(errors="replace").rpartition(")")[2].split()
    return [
        process
        for process, (state, _, _, its_session, *_) in found.items()
        if its_session == str(session) and state != "Z"
    ]
