"""Compares an exported file with its network."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from digitrec.data import datasets
from digitrec.data.synthetic.written import written_digits
from digitrec.errors import DigitrecError
from digitrec.export.trained import Probabilities, Trained
from digitrec.system.wording import first_line
from digitrec.weights import BATCH

MADE = 5_000  # synthetic digits, where no test images are available
SEED = 0
CLOSE = 1e-4  # a larger difference of probabilities is more than rounding

Reader = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Agreement:
    """Agreement of a file's probabilities with the network's.

    Attributes:
        images: how many were read, and which.
        changed: of them, those with another most probable class.
        difference: the greatest of two probabilities.
    """

    images: str
    changed: int
    difference: float

    def __str__(self) -> str:
        return f"{self.images}: {self.changed} changed predictions, greatest difference {self.difference:.1e}"


def write_checked(
    file: Path, write: Callable[[Path], None], opened: Callable[[Path], Reader], trained: Trained
) -> Agreement:
    """Write a file, and replace an older one only if its probabilities are those of the network.

    Args:
        file: its folder is made if there is none.
        write: writes what `opened` opens.
        opened: file -> (images uint8 (N, 1, 28, 28) -> probabilities (N, C)).
        trained: what is written.

    Raises:
        DigitrecError: it can't be written, or reads differently.
    """
    temporary = file.with_name(f".{os.getpid()}_{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()  # the system's errors are shorter than those of the exporters
        try:
            _attempt(write, temporary, trained)
            agreed = agreement(opened(temporary), trained)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DigitrecError(f"{file} cannot be written: {error.strerror}") from error
    return agreed


def _attempt(write: Callable[[Path], None], file: Path, trained: Trained) -> None:
    try:
        write(file)
    except (DigitrecError, OSError):
        raise
    except Exception as error:  # a network of another's making can make torch's exporters raise anything
        raise DigitrecError(f"{trained.name} cannot be written in this format: {first_line(error):.200}") from error


def agreement(read: Reader, trained: Trained) -> Agreement:
    """Compare both on the test images of the data set if they are available, else on synthetic digits.

    Args:
        read: images uint8 (N, 1, 28, 28) -> probabilities (N, C).
        trained: what `read` was written from.

    Raises:
        DigitrecError: a prediction is changed, or a probability differs by more than rounding explains.
    """
    images, which = _images(trained.data)
    with torch.inference_mode():
        expected = torch.cat([Probabilities(trained.classifier)(batch) for batch in images.split(BATCH)])
    # The first image by itself shows a batch size that was fixed by mistake.
    found = torch.cat([read(batch) for batch in (images[:1], *images[1:].split(BATCH))])
    changed = int((found.argmax(dim=1) != expected.argmax(dim=1)).sum())
    agreed = Agreement(f"{len(images):,} {which}", changed, float((found - expected).abs().max()))
    if changed or not agreed.difference <= CLOSE:
        raise DigitrecError(f"nothing was written: what came out reads differently from the network; {agreed}")
    return agreed


def _images(data: tuple[str, str | None] | None) -> tuple[Tensor, str]:
    """Images uint8 (N, 1, 28, 28), and what they are."""
    for place in (data, ("mnist", None)):
        try:
            if place is not None:
                name, root = place
                return datasets.load(name, "test", root).images, f"test images of {name}"
        except DigitrecError:  # missing or damaged
            continue
    return written_digits(MADE, SEED).images, "digits written by rule"
