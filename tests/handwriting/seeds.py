"""What weights read and refuse, mean and deviation over files: python -m tests.handwriting.seeds one.safetensors ...

Files are what scripts/weights writes of runs of one recipe that differ in their seed; none is what comes with digitrec.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

from digitrec import Recognizer
from digitrec.data import datasets
from digitrec.models.portable import read_portable
from digitrec.preprocessing.digit import find_digit
from digitrec.weights import HANDWRITING
from tests.handwriting.doubts import found
from tests.handwriting.situations import SITUATIONS, picture
from tests.handwriting.strange import STRANGE

Images = NDArray[np.uint8]


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.handwriting.seeds", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[HANDWRITING])
    parser.add_argument("--each", type=int, default=2, help="pictures of a digit and situation (default: %(default)s)")
    parser.add_argument("--kinds", type=int, default=100, help="pictures of a kind of no digit (default: %(default)s)")
    given = parser.parse_args()
    labels = [number % 10 for number in range(10 * given.each)]
    digits = {name: _situation(name, labels) for name in _told(SITUATIONS)}
    strange = {name: found(name, given.kinds) for name in _told(STRANGE)}
    rows = [_figures(file, digits, labels, strange) for file in given.files]
    _say(f"| {len(given.files)} files | mean ± deviation | of each |", "| --- | --- | --- |")
    for name in rows[0]:
        values = [row[name] for row in rows]
        each = ", ".join(f"{value:.2f}" for value in values)
        _say(f"| {name} | {mean(values):.2f}{f' ± {stdev(values):.2f}' if len(values) > 1 else ''} | {each} |")


def _figures(file: Path, digits: dict[str, Images], labels: list[int], strange: dict[str, Images]) -> dict[str, float]:
    """What is said of a file's weights, in percent."""
    recognizer, card = Recognizer(file), read_portable(file)["card"]
    truth = [str(label) for label in labels]
    read = {name: [reading.label for reading in recognizer._read(list(images))] for name, images in digits.items()}
    right = {name: [label == true for label, true in zip(said, truth, strict=True)] for name, said in read.items()}
    others = [datasets.load("digits", name) for name in ("train", "test")]
    people = recognizer.probabilities(np.concatenate([split.images[:, 0].numpy() for split in others]))
    taken = {
        f"taken for a digit: {name.replace('_', ' ')}": _percent(
            [reading.label is not None for reading in recognizer._read(list(images))]
        )
        for name, images in strange.items()
    }
    return {
        "MNIST, test": 100 * card["test"]["accuracy"],
        "calibration error": 100 * card["test"]["calibration_error"],
        "MNIST, test, not refused": 100 * card["not_a_digit"]["accepted"]["test"],
        "threshold": 100 * card["not_a_digit"]["threshold"],
        "other people's digits (1,797)": _percent(
            people.argmax(1) == np.concatenate([s.labels.numpy() for s in others])
        ),
        "pictures of digits read right": _percent([one for said in right.values() for one in said]),
        "pictures of digits refused": _percent([label is None for said in read.values() for label in said]),
        "the situation read worst": min(_percent(said) for said in right.values()),
        **taken,
        "taken for a digit: all kinds": mean(taken.values()),
    }


def _situation(name: str, labels: list[int]) -> Images:
    """What the preparation makes of pictures of a situation, one for each label, by seeds that no test has."""
    return np.stack([find_digit(picture(label, name, 400 + number)).image for number, label in enumerate(labels)])


def _told(names: Iterable[str]) -> Iterator[str]:
    """Names, each shown as its turn comes."""
    for name in names:
        sys.stderr.write(f"\rpreparing {name:<20}")
        sys.stderr.flush()
        yield name
    sys.stderr.write("\n")


def _percent(said: "list[bool] | NDArray[np.bool_]") -> float:
    return 100 * float(np.mean(said))


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
