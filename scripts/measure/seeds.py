"""How weights read and reject, mean and deviation over files: python -m scripts.measure.seeds one.safetensors ...

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
from digitrec.models.checkpoint_file import read_portable
from digitrec.preprocessing.digit import find_digit
from digitrec.weights import HANDWRITING
from scripts.measure.rejection import found
from tests.handwriting.situations import SITUATIONS, picture
from tests.handwriting.strange import STRANGE

Images = NDArray[np.uint8]


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m scripts.measure.seeds", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[HANDWRITING])
    parser.add_argument("--each", type=int, default=2, help="pictures of a digit and situation (default: %(default)s)")
    parser.add_argument("--kinds", type=int, default=100, help="pictures of a kind of no digit (default: %(default)s)")
    given = parser.parse_args()
    labels = [number % 10 for number in range(10 * given.each)]
    digits = {name: _situation(name, labels) for name in _with_progress(SITUATIONS)}
    strange = {name: found(name, given.kinds) for name in _with_progress(STRANGE)}
    rows = [_figures(file, digits, labels, strange) for file in given.files]
    _print(f"| {len(given.files)} files | mean ± deviation | of each |", "| --- | --- | --- |")
    for name in rows[0]:
        values = [row[name] for row in rows]
        each = ", ".join(f"{value:.2f}" for value in values)
        _print(f"| {name} | {mean(values):.2f}{f' ± {stdev(values):.2f}' if len(values) > 1 else ''} | {each} |")


def _figures(file: Path, digits: dict[str, Images], labels: list[int], strange: dict[str, Images]) -> dict[str, float]:
    """Results of a file's weights, in percent."""
    recognizer, card = Recognizer(file), read_portable(file)["card"]
    truth = [str(label) for label in labels]
    read = {name: [reading.label for reading in recognizer._read(list(images))] for name, images in digits.items()}
    right = {
        name: [label == true for label, true in zip(labels_read, truth, strict=True)]
        for name, labels_read in read.items()
    }
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
        "pictures of digits read right": _percent([one for results in right.values() for one in results]),
        "pictures of digits refused": _percent(
            [label is None for labels_read in read.values() for label in labels_read]
        ),
        "the situation read worst": min(_percent(results) for results in right.values()),
        **taken,
        "taken for a digit: all kinds": mean(taken.values()),
    }


def _situation(name: str, labels: list[int]) -> Images:
    """What the preparation makes of pictures of a situation, one for each label, by seeds that no test has."""
    return np.stack([find_digit(picture(label, name, 400 + number)).image for number, label in enumerate(labels)])


def _with_progress(names: Iterable[str]) -> Iterator[str]:
    """Names, each shown as its turn comes."""
    for name in names:
        sys.stderr.write(f"\rpreparing {name:<20}")
        sys.stderr.flush()
        yield name
    sys.stderr.write("\n")


def _percent(results: "list[bool] | NDArray[np.bool_]") -> float:
    return 100 * float(np.mean(results))


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
