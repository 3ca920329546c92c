"""Whether two models differ on the same images by more than chance."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from torch import Tensor


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two models on the same images.

    Attributes:
        only_a: images that only the first one reads right.
        only_b: images that only the second one reads right.
        p_value: probability of a difference at least as large between equally good models.
    """

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images.

    Attributes:
        other: name of the model compared with.
        accuracy: of the other, in [0, 1].
        test: McNemar's, a being the evaluated model and b the other.
        both_right: images that both read right.
        both_wrong: images that both read wrong.
        difference: evaluated minus other accuracy, with its 95 % interval: (difference, low, high).
    """

    other: str
    accuracy: float
    test: McNemar
    both_right: int
    both_wrong: int
    difference: tuple[float, float, float]


def paired_test(correct: Tensor, other: str, other_correct: Tensor) -> Comparison:
    """Compare a model with the one called `other`.

    Args:
        correct: (N,) bool, which images it reads right.
        other: name of the other.
        other_correct: (N,) bool, which of the same images the other one reads right.

    Raises:
        ValueError: the shapes differ, or there are no images.
    """
    if correct.shape != other_correct.shape or correct.ndim != 1 or not len(correct):
        raise ValueError(
            f"expected two shapes (N,), N >= 1, got {tuple(correct.shape)} and {tuple(other_correct.shape)}"
        )
    only_a, only_b = int((correct & ~other_correct).sum()), int((other_correct & ~correct).sum())
    return Comparison(
        other=other,
        accuracy=other_correct.double().mean().item(),
        test=mcnemar(only_a, only_b),
        both_right=int((correct & other_correct).sum()),
        both_wrong=int((~correct & ~other_correct).sum()),
        difference=((only_a - only_b) / len(correct), *difference_interval(only_a, only_b, len(correct))),
    )


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """McNemar's test (1947), exact and two-sided, of the images that only one of two models reads right."""
    from scipy.stats import binomtest  # takes a second to import

    p_value = float(binomtest(min(only_a, only_b), only_a + only_b).pvalue) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, p_value)


def difference_interval(only_a: int, only_b: int, count: int) -> tuple[float, float]:
    """95 % interval of the difference between two accuracies on the same `count` images.

    One image more of each kind keeps the coverage right when there are few (Bonett and Price, 2012).
    """
    size = count + 2
    gain, loss = (only_a + 1) / size, (only_b + 1) / size
    margin = NormalDist().inv_cdf(0.975) * math.sqrt((gain + loss - (gain - loss) ** 2) / size)
    return max(gain - loss - margin, -1.0), min(gain - loss + margin, 1.0)
