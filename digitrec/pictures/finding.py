"""Which pictures a person means by names, folders and patterns."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from digitrec.pictures.reading import FORMATS, UNREADABLE


def find_pictures(words: Iterable[str]) -> Iterator[str]:
    """Names of files: each word's, or those in a folder and its sub-folders, or those that fit a pattern.

    Of a folder, what is not hidden and ends like a picture that we read, or as one that phones save. A word that stands
    for no file is given back: who tries to read it will be told what is wrong.
    """
    for word in words:
        try:
            found = sorted(_meant(Path(word)))
        except (OSError, ValueError, NotImplementedError):  # no file can have this name, or no pattern this form
            found = []
        yield from map(str, found) if found else (word,)


def _meant(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from _pictures_in(path)
    else:
        for found in Path(path.anchor).glob(str(path.relative_to(path.anchor))):
            yield from _pictures_in(found) if found.is_dir() else (found,)


def _pictures_in(folder: Path) -> Iterator[Path]:
    endings = {ending for ending, name in Image.registered_extensions().items() if name in FORMATS}
    endings |= UNREADABLE  # left out in silence, nobody would know
    for file in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in endings and not hidden and file.is_file():
            yield file
