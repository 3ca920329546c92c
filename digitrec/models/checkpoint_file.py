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
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from digitrec.errors import CheckpointError, UsageError
from digitrec.models.plain import Layer
from digitrec.system.files import MAX_TEXT, open_regular, read_bytes, write_bytes
from digitrec.weights import ONNX, SUFFIX

LARGEST = 2**33  # bytes of a file
MOST_PARTS = 100_000  # tensors of a file
MOST_VALUES = 1_000_000  # beside the content of tensors
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
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, body + LABEL + hashlib.sha256(body).hexdigest().encode())
        _sync_folder(file.parent)
    except OSError as error:
        left = "; the one before is as it was" if file.is_file() else ""
        raise CheckpointError(f"{file} cannot be written: {error.strerror}{left}") from error


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Content of a file, tensors on the CPU, plain values only.

    Raises:
        CheckpointError: it can't be read, is damaged, or was not written by `torch.save`.
    """
    try:
        data = read_bytes(file, LARGEST)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from error
    if not data:
        raise CheckpointError(f"{file}: an empty file; expected one that digitrec.train wrote")
    _check_sum(data, file)
    try:
        _check_extent(data)
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        _check_count(content)
    except _ExtentError as error:
        raise CheckpointError(f"{file}: {error}; expected a checkpoint that digitrec.train wrote") from None
    except Exception as error:  # a damaged file makes zipfile and torch raise anything
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
        open_regular(file, LARGEST).close()
        with safe_open(file, framework="pt") as content:
            metadata, names = content.metadata() or {}, content.keys()
            if len(names) > MOST_PARTS:
                raise CheckpointError(f"{file}: {len(names):,} tensors, {MOST_PARTS:,} at most are read")
            weights = {name: content.get_tensor(name) for name in names}
        about, card = (dict(json.loads(metadata[name])) for name in ("digitrec", "card"))
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror or error}") from error
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: damaged, or not written by digitrec: {error}") from error
    return {"digitrec": about, "state_dict": weights, "card": card}


def read_content(file: Path) -> dict[str, Any]:
    """Content of a .ckpt or .safetensors file: `digitrec`, `state_dict` and, if it has one, `card`.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it is a .onnx file.
    """
    if file.suffix == ONNX:
        raise UsageError(f"{file}: exported already; give the run folder or the checkpoint that it came from")
    return read_portable(file) if file.suffix == SUFFIX else read_checkpoint(file)


def _check_sum(data: bytes, file: Path) -> None:
    """A file without a comment is not ours to check; one with another comment is no checkpoint or a damaged one."""
    if data[-22:-18] == END and data[-2:] == b"\0\0":
        return
    body, comment = data[:-COMMENT], data[-COMMENT:]
    if data[:2] == b"PK" and comment != LABEL + hashlib.sha256(body).hexdigest().encode():
        raise CheckpointError(f"{file}: damaged or cut short, its checksum does not fit; use another checkpoint")


class _ExtentError(Exception):
    """Reading on would take more time or memory than a checkpoint can be worth."""


def _check_extent(data: bytes) -> None:
    """Refuse what torch would read for hours, or inflate: it compresses nothing itself, but its reader would unpack it.

    Raises:
        Exception: zipfile's own, of an archive that only torch would open.
    """
    pickled = len(data)  # of a torch older than 1.6, which wrote no archive
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
        if sum(part.file_size for part in parts) > len(data):
            raise _ExtentError("holds more than its size")
        if len(parts) > MOST_PARTS:
            raise _ExtentError(f"holds {len(parts):,} tensors, {MOST_PARTS:,} at most are read")
        pickled = max((part.file_size for part in parts if part.filename.endswith("/data.pkl")), default=0)
    if pickled > MAX_TEXT:
        raise _ExtentError(f"holds {pickled:,} bytes beside its tensors, {MAX_TEXT:,} at most are read")


def _check_count(content: Any) -> None:
    """Refuse lists that hold one another many times over, or themselves: to print or compare them would not end."""
    open_values = [content]
    for _ in range(MOST_VALUES):
        match open_values.pop():
            case dict() as values:
                open_values += [*values.keys(), *values.values()]
            case list() | tuple() as values:
                open_values += values
        if not open_values:
            return
    raise _ExtentError(f"holds more than {MOST_VALUES:,} values")


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where folders can be opened for that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
