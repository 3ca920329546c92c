"""How digits of made-up people are read, by person, medium and digit: python -m scripts.measure.strangers."""

import argparse
import io
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from digitrec import Recognizer
from digitrec.preprocessing.framing import SIDE
from scripts.measure.media import MEDIA, file
from scripts.measure.people import people


def resized(content: bytes) -> NDArray[np.uint8]:
    """A picture without any preparation: grey, inverted, 28x28."""
    grey = Image.open(io.BytesIO(content)).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(255 - np.asarray(grey), np.uint8)


class Result(NamedTuple):
    """Whose digit in which medium, whether it was read, and whether it would have been without preparation."""

    person: str
    medium: str
    digit: str
    right: bool
    plain: bool


def results(recognizer: Recognizer, takes: Iterable[int]) -> Iterator[Result]:
    """Read all that everyone wrote."""
    for take in takes:
        for person in people():
            for medium in MEDIA:
                files = [file(person, label, medium, take) for label in range(10)]
                plain = recognizer.probabilities(np.stack([resized(content) for content in files])).argmax(axis=1)
                for label, reading in enumerate(recognizer.read_all(files)):
                    right = reading.label == str(label)
                    yield Result(person, medium, str(label), right, recognizer.class_names[plain[label]] == str(label))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.measure.strangers", description=__doc__)
    parser.add_argument("--take", type=int, nargs="*", default=[0], help="seeds of the writing (default: 0)")
    given = parser.parse_args()
    read = list(results(Recognizer(), given.take))
    _print(f"| {len(read)} pictures | read | by a plain resize |", "| --- | --- | --- |", _row("all", read))
    for part in ("person", "medium", "digit"):
        for name in dict.fromkeys(getattr(result, part) for result in read):
            _print(_row(f"{part} {name}", [result for result in read if getattr(result, part) == name]))


def _row(name: str, read: list[Result]) -> str:
    right, plain = (np.mean([getattr(result, key) for result in read]) for key in ("right", "plain"))
    return f"| {name} | {right:.1%} | {plain:.1%} |"


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
