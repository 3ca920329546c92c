"""Checkpoint files: .ckpt to train on, .safetensors to pass on, each written whole and refused when damaged.

A .ckpt file is what `torch.save` makes, a zip archive, with the SHA-256 of all bytes before it as its comment. torch
and every zip program read it as usual; torch alone would not notice a changed byte. A .safetensors file has no pickle.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from digitrec.errors import CheckpointError
from digitrec.models.plain import Layer
from digitrec.weights import SUFFIX

LABEL = b"sha256:"
COMMENT = len(LABEL) + 64  # bytes
ONLY_FOR_TRAINING = {"settings", "seen"}  # parts of a checkpoint's description
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


def write_portable(
    checkpoint: Mapping[str, Any],
    card: Mapping[str, Any],
    file: Path,
    threshold: float | None = None,
    layers: Sequence[Layer] | None = None,
) -> None:
    """Write the weights of a checkpoint and their description, without what only training needs.

    Args:
        checkpoint: as `read_checkpoint` gives it.
        card: facts for people: command, seed, accuracy, licence; plain values.
        file: ends in .safetensors.
        threshold: confidence threshold for rejection, in [0, 1]; None for a network that was not trained to reject.
        layers: as `plain_layers` lists them, to run it without torch; None if that cannot.
    """
    weights = {name: tensor.contiguous() for name, tensor in checkpoint["state_dict"].items()}
    metadata = description({**checkpoint["digitrec"], "threshold": threshold}, card)
    save_file(weights, file, metadata if layers is None else metadata | {"layers": json.dumps(layers)})


def description(about: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, str]:
    """Metadata of weights in any format, as JSON: `digitrec`, what using them needs, and the `card`."""
    needed = {name: value for name, value in about.items() if name not in ONLY_FOR_TRAINING}
    return {"digitrec": json.dumps(needed), "card": json.dumps(dict(card))}


def read_portable(file: Path) -> dict[str, Any]:
    """Content of a file as a checkpoint: `digitrec`, `state_dict`, and `card` besides.

    Raises:
        CheckpointError: it can't be read, or was not written by `write_portable`.
    """
    try:
        with safe_open(file, framework="pt") as content:
            metadata = content.metadata() or {}
            weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - not a mapping
        about, card = (json.loads(metadata[name]) for name in ("digitrec", "card"))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{file}: damaged, or not written by digitrec: {error}") from error
    return {"digitrec": about, "state_dict": weights, "card": card}


def read_content(file: Path) -> dict[str, Any]:
    """Content of a .ckpt or .safetensors file: `digitrec`, `state_dict` and, if it has one, `card`.

    Raises:
        CheckpointError: it can't be read.
    """
    return read_portable(file) if file.suffix == SUFFIX else read_checkpoint(file)


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
