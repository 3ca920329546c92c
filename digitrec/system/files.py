"""Files of other people, opened with care, and files of ours, written whole or not at all."""

import errno
import os
import stat
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

MAX_TEXT = 2**26  # bytes of a record, a table or a composition
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a regular file to read; never waits for a pipe.

    Args:
        path: a link to a file is followed.
        limit: largest size in bytes; None for any.

    Raises:
        OSError: it cannot be opened, is no regular file, or is larger; `strerror` is which.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - Path.open has no opener
    try:
        found = os.fstat(file.fileno())
        _check_kind(stat.S_IFMT(found.st_mode), path)
        _check_size(found.st_size, limit, path)
    except OSError:
        file.close()
        raise
    return file


def read_bytes(path: Path, limit: int | None = MAX_TEXT) -> bytes:
    """The content of a regular file of at most `limit` bytes; OSError as in `open_regular`."""
    with open_regular(path, limit) as file:
        size = os.fstat(file.fileno()).st_size  # 0 of files in /proc
        content = file.read(size or (-1 if limit is None else limit + 1))
    _check_size(len(content), limit, path)
    return content


def read_text(path: Path, limit: int | None = MAX_TEXT) -> str:
    """The same as text; ValueError if it is not UTF-8."""
    return read_bytes(path, limit).decode("utf-8")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # else a pipe is waited for


def _check_kind(kind: int, path: Path) -> None:
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"{KINDS.get(kind, 'no regular file')}, expected a file", str(path))


def _check_size(size: int, limit: int | None, path: Path) -> None:
    if limit is not None and size > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))


def free_path(file: Path) -> Path:
    """The file, or where it exists the first of "NAME (2).SUFFIX", "NAME (3).SUFFIX", ... that does not."""
    others = (file.with_name(f"{file.stem} ({number}){file.suffix}") for number in count(2))
    return next(path for path in chain([file], others) if not os.path.lexists(path))


def write_text(file: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all."""
    write_bytes(file, text.encode("utf-8"))


def write_bytes(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; until it is complete and on the disk, the one before it stays."""
    # In the same folder: os.replace can't be atomic from another file system, where TMPDIR may be.
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        error.filename = str(file)  # a failed write names none
        raise
