"""Where a run comes from: the command, the code, the versions, the machine."""

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = ("digitrec", "torch", "torchvision", "lightning", "hydra-core", "torchmetrics", "tensorboard")


def provenance(*others: str) -> dict[str, Any]:
    """Command, commit, versions, machine and time of what begins in this process.

    Args:
        others: packages whose versions count as well.
    """
    from importlib.metadata import version

    return {
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "git_revision": git_revision(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in (*PACKAGES, *others)}},
        "host": platform.node(),
        "start": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


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
