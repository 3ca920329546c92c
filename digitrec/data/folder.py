"""A folder of pictures as a data set: one sub-folder per class.

Either ``root/train/<class>`` and ``root/test/<class>``, optionally with ``root/valid/<class>`` for validation, or
``root/<class>``. Without a folder for testing, a fifth of each class, the same one every time, is the test split.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitrec.config.overrides import as_path
from digitrec.data.labels import are_digits
from digitrec.errors import DataError, UsageError
from digitrec.preprocessing.picture import check_picture
from digitrec.system.wording import counted

if TYPE_CHECKING:  # files are checked before torch is imported
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

TEST_SHARE = 0.2
NAMED = 10  # files in one message
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
# What file managers, archives and network drives leave beside pictures
SYSTEM_FILES = {"Thumbs.db", "desktop.ini", "Icon", "Icon\r", "Icon_"}  # the second on a Mac, the others unpacked
SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
LAYOUT = "Next: give data.root a folder of <class>/<pictures>, or of train/<class>/ and test/<class>/."


def class_names(root: Path) -> tuple[str, ...]:
    """Names of the sub-folders, numbers in them by their value: label 0 is the first.

    Raises DataError for a root that is no folder, UsageError for fewer than two classes or unlike splits.
    """
    names = {folder.name: _folders(folder) for folder in _given(root).values() or [root]}
    first, *others = names
    for other in others:
        if unlike := sorted(set(names[first]) ^ set(names[other])):
            raise UsageError(f"{root} has class {unlike[0]!r} in only one of {first} and {other}.\n{LAYOUT}")
    if len(names[first]) < 2:
        raise UsageError(
            f"{root} has {counted(len(names[first]), 'sub-folder')}, expected one per class and at least 2.\n{LAYOUT}"
        )
    return names[first]


def has_validation(root: Path) -> bool:
    """Is there a folder of validation pictures?"""
    return "val" in _given(root)


def is_parted(root: Path) -> bool:
    """Is the test split a fifth of each class, as there is no folder for it?"""
    return "test" not in _given(root)


def pictures(root: Path, split: str) -> list[tuple[Path, int]]:
    """Files of a split with their labels, sorted by class and name; opens none of them.

    Raises what `class_names` does, and DataError for an empty class or a folder inside a class.
    """
    given = _given(root)
    parted = split != "val" and "test" not in given
    base = given.get("train" if parted else split, None if given else root)
    if base is None:
        raise UsageError(f"{root} has {' and '.join(folder.name for folder in given.values())} only.\n{LAYOUT}")
    labelled = []
    for label, name in enumerate(class_names(root)):
        files = _files(base / name, at_least=2 if parted else 1)
        test = held_out(file.name for file in files) if parted else ()
        labelled += [(file, label) for file in files if not parted or (file.name in test) == (split == "test")]
    return labelled


def check_pictures(settings: Mapping[str, Any]) -> None:
    """UsageError that names every file that is no picture, if the settings of the data name a folder of pictures."""
    if settings.get("dataset") == "folder" and settings.get("root") and not settings.get("skip_damaged"):
        try:
            check_heads(as_path(settings["root"]))
        except DataError as error:
            raise UsageError(f"data.root: {error}") from error


def check(root: Path, skip_damaged: bool = False) -> None:
    """Open every picture of all splits without decoding it, and warn of files that training and another split share.

    Raises what `pictures` and `load` do.
    """
    splits = _splits(root)
    if not skip_damaged:
        check_heads(root)
    train = _by_content(path for path, _ in splits.pop("train"))
    for split, labelled in splits.items():
        shared = [
            (train[digest], path)
            for digest, path in _by_content(path for path, _ in labelled).items()
            if digest in train
        ]
        if shared:
            warnings.warn(
                f"{len(shared)} of {len(labelled)} {split} pictures are training pictures, too, "
                f"e.g. {shared[0][1]} and {shared[0][0]}: results on them mean little",
                stacklevel=2,
            )


def check_heads(root: Path) -> None:
    """Open every picture of all splits without decoding it.

    Raises what `pictures` does, and DataError that names all files that are no pictures.
    """
    paths = [path for labelled in _splits(root).values() for path, _ in labelled]
    faults = []
    for path in paths:
        try:
            check_picture(path)
        except DataError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        lines = [str(fault).partition("\n")[0].partition(", expected")[0].rstrip(".") for fault in faults[:NAMED]]
        named = "; ".join(line.replace(" cannot be read as a picture", "") for line in lines)
        more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise DataError(
            f"{len(faults)} of {len(paths)} files below {root} are no pictures: {named}{more}.\n"
            "Next: repair or remove them, or leave them out with data.skip_damaged=true."
        )


def load(root: Path, split: str, skip_damaged: bool = False) -> tuple[Tensor, Tensor]:
    """Read and frame a split: images uint8 (N, 28, 28), white on black, and labels int64 (N,).

    Of classes that are single digits, the one digit; of others, all ink. Pictures without ink are left out, with
    ``skip_damaged`` those that can't be read as well. Warns of what was left out, with count and example.

    Raises what `pictures` does, and DataError for a file that is no picture, damaged or dangerously large, and for a
    class of which nothing is left.
    """
    import numpy as np
    import torch

    from digitrec.preprocessing.digit import find_digit  # imports scipy, which no other data set needs

    names, labelled = class_names(root), pictures(root, split)
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    left: dict[str, list[str]] = defaultdict(list)
    for path, label in labelled:
        try:
            image, note = find_digit(path, whole=not are_digits(names))
        except DataError as error:
            if not skip_damaged:
                raise
            left["left out: they can't be read"].append(str(error).partition("\n")[0])
            continue
        if not image.any():
            left["left out: no ink was found on them"].append(str(path))
            continue
        if note:
            left["read only in part"].append(f"{path}: {note}")
        images.append(image)
        labels.append(label)
    for what, examples in left.items():
        warnings.warn(
            f"{len(examples)} of {len(labelled)} {split} pictures are {what}; e.g. {examples[0]}", stacklevel=2
        )
    if empty := sorted({names[label] for _, label in labelled} - {names[label] for label in labels}, key=_natural):
        raise DataError(
            f"{root} has no {split} picture that shows anything of class {', '.join(empty)}.\n"
            "Next: look at its pictures, or remove the class: an empty picture gives 'no ink found' without one."
        )
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def held_out(names: Iterable[str]) -> frozenset[str]:
    """Choose a fifth of one class, at least one, for the test split, as a pure function of the names.

    The order of their hashes decides: names that count up in time or by writer spread over both splits.
    """
    ranked = sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    return frozenset(ranked[: max(1, round(TEST_SHARE * len(ranked)))])


def _splits(root: Path) -> dict[str, list[tuple[Path, int]]]:
    return {split: pictures(root, split) for split in SPLITS if split != "val" or has_validation(root)}


def _given(root: Path) -> dict[str, Path]:
    """Folders of the splits, those that hold folders of classes; empty where the classes lie in the root."""
    if not root.is_dir():
        raise DataError(f"{root} is not a folder.\n{LAYOUT}")
    given: dict[str, Path] = {}
    for split, names in SPLITS.items():
        for folder in sorted(_visible(root)):
            if folder.name.lower() in names and folder.is_dir() and any(entry.is_dir() for entry in _visible(folder)):
                if split in given:
                    raise UsageError(
                        f"{root} has {given[split].name} and {folder.name}, expected one of them.\n{LAYOUT}"
                    )
                given[split] = folder
    return given


def _by_content(paths: Iterable[Path]) -> dict[bytes, Path]:
    """Files by the digest of what is in them."""
    digests: dict[bytes, Path] = {}
    for path in paths:
        with suppress(OSError), path.open("rb") as file:  # one that can't be read is damaged, which is not asked here
            digests.setdefault(hashlib.file_digest(file, "sha256").digest(), path)
    return digests


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts 2 before 10."""
    return [
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name) if part
    ]


def _folders(root: Path) -> tuple[str, ...]:
    return tuple(sorted((entry.name for entry in _visible(root) if entry.is_dir()), key=_natural))


def _files(folder: Path, at_least: int) -> list[Path]:
    files = sorted(_visible(folder))
    if strange := next((file for file in files if not file.is_file()), None):  # a pipe would be waited for
        what = "a folder" if strange.is_dir() else "no file"
        raise DataError(f"{strange} is {what}, expected pictures only.\n{LAYOUT}")
    if len(files) < at_least:
        raise DataError(f"{folder} has {counted(len(files), 'picture')}, expected at least {at_least}.\n{LAYOUT}")
    return files


def _visible(folder: Path) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.\nNext: get the right to, or move it.") from error
    return [
        entry
        for entry in entries
        if entry.name[0] != "." and entry.name not in (SYSTEM_FOLDERS if entry.is_dir() else SYSTEM_FILES)
    ]
