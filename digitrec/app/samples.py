"""Samples that a person has labelled: the folder that `data=folder` trains on."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from digitrec.errors import DataError, UsageError
from digitrec.recognition.recognizer import Ink

MARGIN = 0.5  # paper on each side, of the ink's longer side: enough that the ink is narrower than the paper
SUFFIX = ".png"


class Samples:
    """A folder with a sub-folder of pictures for each label; created with the first sample.

    Args:
        folder: may be absent.
        labels: that a sample may have.

    Raises:
        UsageError: a label cannot be the name of a folder.
    """

    def __init__(self, folder: Path, labels: tuple[str, ...]) -> None:
        if unfit := [label for label in labels if not is_name(label)]:
            raise UsageError(f"class {unfit[0]!r} cannot be the name of a folder")
        self.folder = folder
        self._labels = labels

    def save(self, ink: Ink, label: str) -> Path:
        """Write ink, (H, W) in [0, 1], as black on white paper; the same ink again is the same file.

        Raises:
            UsageError: no such label.
            DataError: it can't be written.
        """
        if label not in self._labels:
            raise UsageError(f"no label {label[:20]!r}; there are {', '.join(self._labels)}")
        content = _picture(ink)
        file = self.folder / label / f"{hashlib.sha256(content).hexdigest()[:16]}{SUFFIX}"
        temporary = file.with_name(f".{file.name}.{os.getpid()}")  # hidden files are not counted
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(content)
                temporary.replace(file)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{file.parent}: {error.strerror}; give another folder with --save") from error
        return file

    def counts(self) -> dict[str, int]:
        """How many samples there are of each label that has any."""
        found = {label: len(list((self.folder / label).glob(f"[!.]*{SUFFIX}"))) for label in self._labels}
        return {label: count for label, count in found.items() if count}


def is_name(label: str) -> bool:
    """Whether a label can be the name of a folder inside another, on any system."""
    return label.isprintable() and not label.startswith(".") and not set(label) & set('<>:"/\\|?*') and label != ""


def _picture(ink: Ink) -> bytes:
    margin = round(MARGIN * max(ink.shape)) + 1
    paper = np.pad(255 - (255 * ink).round().astype(np.uint8), margin, constant_values=255)
    stream = io.BytesIO()
    Image.fromarray(paper).save(stream, "PNG", optimize=True)
    return stream.getvalue()
