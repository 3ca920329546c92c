"""A person's own pictures as a data set: one sub-folder per class.

Either ``root/train/<class>`` and ``root/test/<class>``, or ``root/<class>``, of which a fifth of each class,
the same one every time, is the test split.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from digitrec.errors import DataError, UsageError
from digitrec.pictures.reading import check_picture

TEST_SHARE = 0.2
SYSTEM_FILES = {"Thumbs.db", "desktop.ini"}  # file managers leave these beside pictures
LAYOUT = "Next: give data.root a folder of <class>/<pictures>, or of train/<class>/ and test/<class>/."


def class_names(root: Path) -> tuple[str, ...]:
    """Names of the sub-folders, sorted: label 0 is the first.

    Raises DataError for a root that is no folder, UsageError for fewer than two classes or unlike splits.
    """
    train, test = (_folders(folder) for folder in _split_roots(root))
    if train != test:
        name = sorted(set(train) ^ set(test))[0]
        raise UsageError(f"{root} has class {name!r} in only one of train and test.\n{LAYOUT}")
    if len(train) < 2:
        raise UsageError(f"{root} has {len(train)} sub-folders, expected one per class and at least 2.\n{LAYOUT}")
    return train


def pictures(root: Path, split: str) -> list[tuple[Path, int]]:
    """Files of a split with their labels, sorted by class and name; opens none of them.

    Raises what `class_names` does, and DataError for an empty class or a folder inside a class.
    """
    roots = dict(zip(("train", "test"), _split_roots(root), strict=True))
    shared = roots["train"] == roots["test"]
    labelled = []
    for label, name in enumerate(class_names(root)):
        files = _files(roots[split] / name, at_least=2 if shared else 1)
        test = held_out(file.name for file in files) if shared else ()
        labelled += [(file, label) for file in files if not shared or (file.name in test) == (split == "test")]
    return labelled


def check(root: Path) -> None:
    """Open every picture of both splits without decoding it; raises what `pictures` and `load` do."""
    for split in ("train", "test"):
        for path, _ in pictures(root, split):
            check_picture(path)


def load(root: Path, split: str) -> tuple[Tensor, Tensor]:
    """Read and frame a split: images uint8 (N, 28, 28), white on black, and labels int64 (N,).

    Raises what `pictures` does, and DataError for a file that is no picture, damaged or dangerously large.
    """
    from digitrec.pictures.digit import find_digit  # imports scipy, which no other data set needs

    labelled = pictures(root, split)
    images = np.stack([find_digit(path).image for path, _ in labelled])
    return torch.from_numpy(images), torch.tensor([label for _, label in labelled])


def held_out(names: Iterable[str]) -> frozenset[str]:
    """Choose a fifth of one class, at least one, for the test split, as a pure function of the names.

    The order of their hashes decides: names that count up in time or by writer spread over both splits.
    """
    ranked = sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
    return frozenset(ranked[: max(1, round(TEST_SHARE * len(ranked)))])


def _split_roots(root: Path) -> tuple[Path, Path]:
    """Where the classes of train and test lie: the same folder when it is left to us to split."""
    roots = root / "train", root / "test"
    return roots if all(folder.is_dir() for folder in roots) else (root, root)


def _folders(root: Path) -> tuple[str, ...]:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder.\n{LAYOUT}")
    return tuple(sorted(entry.name for entry in _visible(root) if entry.is_dir()))


def _files(folder: Path, at_least: int) -> list[Path]:
    files = sorted(_visible(folder))
    if strange := next((file for file in files if not file.is_file()), None):  # a pipe would be waited for
        what = "a folder" if strange.is_dir() else "no file"
        raise DataError(f"{strange} is {what}, expected pictures only.\n{LAYOUT}")
    if len(files) < at_least:
        raise DataError(f"{folder} has {len(files)} pictures, expected at least {at_least}.\n{LAYOUT}")
    return files


def _visible(folder: Path) -> list[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.\nNext: get the right to, or move it.") from error
    return [entry for entry in entries if entry.name[0] != "." and entry.name not in SYSTEM_FILES]
