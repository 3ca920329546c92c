"""Finds pictures by names, folders and patterns."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from digitrec.preprocessing.picture import FORMATS, UNREADABLE


def find_pictures(arguments: Iterable[str]) -> Iterator[str]:
    """Names of files: each argument's, or those in a folder and its sub-folders, or those that match a pattern.

    Of a folder, files that are not hidden and have the ending of a picture that we read, or of one that phones save.
    An argument that matches no file is returned as it is: opening it reports the error.
    """
    for argument in arguments:
        try:
            found = sorted(_matches(Path(argument)))
        except (OSError, ValueError, NotImplementedError):  # a name or a pattern that the system or pathlib refuses
            found = []
        yield from map(str, found) if found else (argument,)


def _matches(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from _pictures_in(path)
    else:
        for found in Path(path.anchor).glob(str(path.relative_to(path.anchor))):
            yield from _pictures_in(found) if found.is_dir() else (found,)


def _pictures_in(folder: Path) -> Iterator[Path]:
    """Links are followed, each folder once; links that lead nowhere and closed folders are given, to be reported."""
    endings = {ending for ending, name in Image.registered_extensions().items() if name in FORMATS} | UNREADABLE
    seen: set[str] = set()
    closed: list[Path] = []
    for parent, folders, files in os.walk(
        folder, onerror=lambda error: closed.append(Path(error.filename)), followlinks=True
    ):
        place = os.path.realpath(parent)
        folders[:] = () if place in seen else sorted(name for name in folders if name[0] != ".")
        for file in () if place in seen else (Path(parent, name) for name in files if name[0] != "."):
            if file.suffix.lower() in endings or not file.exists():
                yield file
        seen.add(place)
    yield from closed
