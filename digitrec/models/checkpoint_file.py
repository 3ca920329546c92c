"""Checkpoint files: written whole or not at all, and never read when damaged.

A file is what `torch.save` makes, a zip archive, whose comment is the SHA-256 of all bytes before it. torch itself and
every zip program read it as usual; torch alone would not notice a changed byte.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from digitrec.errors import CheckpointError

LABEL = b"sha256:"
COMMENT = len(LABEL) + 64  # bytes
END = b"PK\x05\x06"  # begins the last record of a zip archive, 22 bytes without a comment


def write_checkpoint(content: Mapping[str, Any], file: Path) -> None:
    """Write a file, with its checksum; until it is complete and on the disk, the one before it stays.

    Raises:
        CheckpointError: it can't be written; the one before is as it was.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    body = buffer.getvalue()[:-2] + COMMENT.to_bytes(2, "little")
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder: os.replace can't be atomic from another file system, where TMPDIR may be.
        with temporary.open("wb") as out:
            out.write(body + LABEL + hashlib.sha256(body).hexdigest().encode())
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        left = "; the one before is as it was" if file.is_file() else ""
        raise CheckpointError(f"{file} cannot be written: {error.strerror}{left}") from error


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Content of a file, tensors on the CPU, plain values only.

    Raises:
        CheckpointError: it can't be read, is damaged, or was not written by `torch.save`.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from error
    if not data:
        raise CheckpointError(f"{file}: an empty file; expected one that digitrec.train wrote")
    _check_sum(data, file)
    _check_extent(data, file)
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader raises whatever a damaged file makes it trip over
        # torch's own text advises to load the file without protection, or names what it tripped over
        raise CheckpointError(
            f"{file}: damaged, cut short, or no checkpoint with plain values only; "
            "expected one that digitrec.train wrote"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: holds a {type(content).__name__}, expected a digitrec checkpoint")
    return content


def _check_sum(data: bytes, file: Path) -> None:
    """A file without a comment is not ours to check; one with another comment is no checkpoint or a damaged one."""
    if data[-22:-18] == END and data[-2:] == b"\0\0":
        return
    body, comment = data[:-COMMENT], data[-COMMENT:]
    if data[:2] == b"PK" and comment != LABEL + hashlib.sha256(body).hexdigest().encode():
        raise CheckpointError(f"{file}: damaged or cut short, its checksum does not fit; use another checkpoint")


def _check_extent(data: bytes, file: Path) -> None:
    """Refuse an archive that would become larger than it is: torch compresses nothing, and its reader would obey."""
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(part.file_size for part in archive.infolist()) > len(data):
            raise CheckpointError(f"{file}: holds more than its size; expected a checkpoint that digitrec.train wrote")


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where folders can be opened for that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
