"""How well pages are read: python -m scripts.measure.pages [--pages 100] [--split test] [--checkpoint ...].

A page counts as exact when its whole text, with spaces and ends of lines, is what was written. Digits count as read
when an alignment of the two texts with least changes keeps them; digits that were not there count as errors, too.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from digitrec import Recognizer
from tests.handwriting.pages import EFFECTS, Source, page

VALIDATION = 55_000  # the first of the training images that pages to tune on are made of


class Row(NamedTuple):
    """Of the pages of one effect: shares of pages and of digits that were read right, and seconds per page."""

    effect: str
    pages: int
    exact: float
    digits: float
    seconds: float


def measure(recognizer: Recognizer, effect: str, count: int, source: Source) -> Row:
    """Read pages of one effect."""
    exact = wrong = written = 0
    seconds = 0.0
    for seed in range(count):
        made = page(effect, seed, source)
        start = perf_counter()
        text = recognizer.read_page(made.picture).text
        seconds += perf_counter() - start
        exact += text == made.text
        read, true = ("".join(filter(str.isdigit, words)) for words in (text, made.text))
        wrong += changes(read, true)
        written += len(true)
    return Row(effect, count, exact / count, 1 - wrong / written, seconds / count)


def changes(one: str, other: str) -> int:
    """Least number of characters to put in, to take out or to replace that makes one text the other (Levenshtein)."""
    costs = list(range(len(other) + 1))
    for row, character in enumerate(one, start=1):
        before, costs = costs, [row]
        for column, wanted in enumerate(other, start=1):
            costs.append(min(before[column] + 1, costs[-1] + 1, before[column - 1] + (character != wanted)))
    return costs[-1]


def lines(rows: Iterator[Row]) -> Iterator[str]:
    """A table in Markdown, row by row."""
    yield "| effect | pages | whole text right | digits right | seconds per page |"
    yield "| --- | --- | --- | --- | --- |"
    done = []
    for row in rows:
        done.append(row)
        yield f"| {row.effect} | {row.pages} | {row.exact:.1%} | {row.digits:.1%} | {row.seconds:.2f} |"
    exact, digits, seconds = (float(np.mean([row[place] for row in done])) for place in (2, 3, 4))
    yield f"| mean | {sum(row.pages for row in done)} | {exact:.1%} | {digits:.1%} | {seconds:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.measure.pages", description=__doc__)
    parser.add_argument("--pages", type=int, default=100, help="of each effect (default: %(default)s)")
    parser.add_argument("--split", choices=["test", "validation"], default="test", help="images that pages are made of")
    parser.add_argument("--effects", nargs="*", choices=EFFECTS, default=list(EFFECTS))
    parser.add_argument("--checkpoint")
    given = parser.parse_args()
    mnist = Path(os.environ.get("DIGITREC_DATA_DIR", "nowhere"), "MNIST").exists()
    source = Source("mnist" if mnist else "digits", "test")
    if given.split == "validation":
        source = Source("mnist", "train", VALIDATION) if mnist else Source("digits", "train", 0)
    recognizer = Recognizer(given.checkpoint)
    sys.stdout.write(f"{source.name}, {given.split} images\n\n")
    for line in lines(measure(recognizer, effect, given.pages, source) for effect in given.effects):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
