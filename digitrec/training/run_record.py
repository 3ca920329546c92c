"""run.json: what was run, on what, and how it ended."""

import json
import math
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from digitrec.errors import DigitrecError, FolderTakenError

PACKAGES = ("digitrec", "torch", "torchvision", "lightning", "hydra-core", "torchmetrics", "tensorboard")


@contextmanager
def run_record(run_dir: Path) -> Iterator[dict[str, Any]]:
    """Keep `run_dir`/run.json true while a run goes on and after it ends, however it ends.

    Yields:
        the record; whatever the run adds to it is written at the end. Its `status` is running, finished,
        interrupted or failed, the last with an `error`.

    Raises:
        FolderTakenError: there is a record of another run.
    """
    record: dict[str, Any] = {
        "status": "running",
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "git_revision": git_revision(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "pid": os.getpid(),
        "host": platform.node(),
        "start": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    began = time.perf_counter()
    try:
        (run_dir / "run.json").touch(exist_ok=False)  # of two that start at once, one finds the file
        write_json(run_dir / "run.json", record)
    except FileExistsError:
        raise FolderTakenError(
            f"{run_dir} holds a run already; choose another folder, or leave hydra.run.dir to us"
        ) from None
    except OSError as error:
        raise DigitrecError(f"the run folder cannot be written: {error}") from error
    try:
        yield record
    except Exception as error:
        record["status"] = "failed"
        record["error"] = str(error) if isinstance(error, DigitrecError) else f"{type(error).__name__}: {error}"
        raise
    except BaseException:  # a signal
        record["status"] = "interrupted"
        raise
    else:
        record["status"] = "finished"
    finally:
        record["duration_s"] = round(time.perf_counter() - began, 3)
        write_json(run_dir / "run.json", record)


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all; numbers that are not finite become null."""
    plain = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in content.items()
    }
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(json.dumps(plain, indent=2, default=str, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(file)


def git_revision() -> str | None:
    """Commit that this code is at, with '-dirty' when files differ from it; None outside a checkout."""
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
