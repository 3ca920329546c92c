"""Holds what was written against the network that it was written from."""

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
from digitrec.recognition.networks.network import BATCH
from digitrec.wording import first_line

MADE = 5_000  # digits written by rule, where no test images are at hand
SEED = 0
CLOSE = 1e-4  # a larger difference of probabilities is no rounding

Reader = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Agreement:
    """How a file's answers agree with torch's.

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
    """Write a file, and leave it only if it reads as the network does; until then one of that name stays.

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
        temporary.touch()  # of what hinders it the system tells more shortly than the writers of formats
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
    except Exception as error:  # torch's exporters raise whatever a network of another's making makes them trip over
        said = first_line(error)
        raise DigitrecError(f"{trained.name} cannot be written in this format: {said:.200}") from error


def agreement(read: Reader, trained: Trained) -> Agreement:
    """Have both read the data set's test images if they are at hand, else made digits.

    Args:
        read: images uint8 (N, 1, 28, 28) -> probabilities (N, C).
        trained: what `read` was written from.

    Raises:
        DigitrecError: a prediction is changed, or a probability differs by more than rounding explains.
    """
    images, which = _images(trained.data)
    with torch.inference_mode():
        expected = torch.cat([Probabilities(trained.classifier)(batch) for batch in images.split(BATCH)])
    # A first image by itself: what was fixed to the size of a batch shows.
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
        except DigitrecError:  # not at hand, or damaged
            continue
    return written_digits(MADE, SEED).images, "digits written by rule"
