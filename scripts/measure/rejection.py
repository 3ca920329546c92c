"""How well the shipped weights reject pictures without a digit: python -m scripts.measure.rejection."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from digitrec import Recognizer
from digitrec.data import datasets
from digitrec.data.synthetic.non_digits import KINDS
from digitrec.preprocessing.digit import find_digit
from digitrec.recognition.rejection import certainties, threshold_for
from tests.handwriting.strange import STRANGE, sketch

Images = NDArray[np.uint8]
EACH = 100


class Rejection(NamedTuple):
    """How a kind of picture compares with MNIST's test digits.

    Attributes:
        auroc: probability that a digit gets more confidence than one of these.
        accepted_95: share accepted at the threshold that accepts 95 % of MNIST's test digits.
        accepted: share accepted at the shipped threshold.
    """

    auroc: float
    accepted_95: float
    accepted: float


def found(kind: str, count: int = EACH) -> Images:
    """What the preparation makes of pictures of a kind that training never saw: uint8 (count, 28, 28)."""
    return np.stack([find_digit(sketch(kind, seed)).image for seed in range(count)])


def trained(kind: str, count: int = EACH) -> Images:
    """New images of a kind that training saw: uint8 (count, 28, 28)."""
    make, _ = KINDS[kind]
    return make(count, torch.Generator().manual_seed(123_456)).numpy()[:, 0]


def measure(recognizer: Recognizer, images: Images, digits: NDArray[np.float32]) -> Rejection:
    """Hold images against the certainties (N,) of digits."""
    confidence = certainties(recognizer.probabilities(images))
    taken = [reading.label is not None for reading in recognizer._read(list(images))]
    is_digit = np.repeat([1, 0], [len(digits), len(confidence)])
    return Rejection(
        float(roc_auc_score(is_digit, np.concatenate([digits, confidence]))),
        float((confidence >= threshold_for(digits, 0.95)).mean()),
        float(np.mean(taken)),
    )


def main() -> None:
    """Print one row for each kind."""
    recognizer = Recognizer()
    digits = certainties(recognizer.probabilities(datasets.load("mnist", "test").images[:, 0].numpy()))
    print("| kind | seen in training | AUROC | false positives at 95 % | as shipped |")
    print("| --- | --- | --- | --- | --- |")
    for seen, kinds, images in (("no", STRANGE, found), ("yes", KINDS, trained)):
        for kind in kinds:
            row = measure(recognizer, images(kind), digits)
            figures = f"{row.auroc:.4f} | {row.accepted_95:.1%} | {row.accepted:.1%}"
            print(f"| {kind.replace('_', ' ')} | {seen} | {figures} |")


if __name__ == "__main__":
    main()
