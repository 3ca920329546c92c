"""Our own commands in processes of their own, each a copy of one that has imported torch: its seconds count once."""

import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from digitrec.tune.job import CONTEXT, PRELOADED
from tests.command import Outcome


class Forked:
    """`python -m module arguments`, as a leader of a session, with the names of `subprocess.Popen`.

    Args:
        module: as in digitrec.train.
        arguments: of its command line.
        cwd: its working folder; beside that lie files with what it prints, unless `stdout` is a path to print to.
        env: its environment variables.
        ignored: signals that it ignores from the start.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdout: Path | None = None,
        ignored: Sequence[int] = (),
    ) -> None:
        beside = Path(tempfile.mkdtemp(prefix="printed-", dir=cwd.parent))
        self.stdout, self.stderr = stdout or beside / "out", beside / "err"
        variables = dict(os.environ if env is None else env)
        CONTEXT.set_forkserver_preload(PRELOADED)
        command = (module, arguments, cwd, variables, (self.stdout, self.stderr), tuple(ignored))
        self._process = CONTEXT.Process(target=_run, args=command)
        self._process.start()
        self.pid: int = self._process.pid

    def __enter__(self) -> "Forked":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._process.kill()
        self._process.join()

    @property
    def returncode(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait until it has ended; a test fails where it goes on for longer."""
        self._process.join(timeout)
        assert self.returncode is not None, f"still running after {timeout} s: {self.printed()}"
        return Outcome(self.returncode, *self.printed())

    def printed(self) -> tuple[str, str]:
        """What it has printed by now."""
        out, err = (file.read_text() if file.is_file() else "" for file in (self.stdout, self.stderr))
        return out, err


def _run(
    module: str,
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    files: Sequence[Path],
    ignored: Sequence[int],
) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    for descriptor, (name, file) in enumerate(zip(("stdout", "stderr"), files, strict=True), start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), descriptor)
        stream = os.fdopen(descriptor, "w", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.path[:0] = env.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = [module, *arguments]
    sys.orig_argv = [sys.executable, "-m", *sys.argv]
    runpy.run_module(module, run_name="__main__")
