"""Errors that a person can cause or mend, with messages for that person."""

import errno
from importlib.metadata import requires


class DigitrecError(Exception):
    """Something outside the program failed; the message names it and the next step. Exit code 1."""


class UsageError(DigitrecError, ValueError):
    """The command or its configuration is wrong; nothing has been started. Exit code 2."""


class FolderTakenError(UsageError):
    """The run folder holds another run; nothing in it may be changed."""


class DataError(DigitrecError):
    """A data file is missing, damaged or out of reach."""


class DivergedError(DigitrecError):
    """A loss is infinite or not a number."""


class CheckpointError(DigitrecError):
    """A checkpoint is missing, damaged or not one of ours."""


class MissingCheckpointError(CheckpointError, UsageError):
    """There is no checkpoint where one was named."""


def is_disk_full(error: BaseException) -> bool:
    """Whether nothing more could be written: the disk is full, a quota used up, or a file as large as it may become."""
    cause = error.__cause__ or error
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def needs_extra(what: str, extra: str) -> str:
    """The message for something whose extra is not installed; its command works from a checkout and from a wheel."""
    lines = (line.replace('"', "'").partition(";") for line in requires("digitrec") or ())
    packages = [f"'{package.strip()}'" for package, _, marker in lines if f"extra == '{extra}'" in marker]
    return f"{what} needs the extra {extra}: python -m pip install {' '.join(packages)}"
