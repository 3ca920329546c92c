"""Sampling intervals of shares, without torch."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson, 1927), within [0, 1].

    Raises:
        ValueError: not 0 <= successes <= trials, no trials, or a confidence outside (0, 1).
    """
    if not (0 <= successes <= trials and trials and 0 < confidence < 1):
        raise ValueError(f"expected 0 <= successes <= trials, got {successes} of {trials}; confidence {confidence}")
    return _wilson(successes / trials, trials, confidence)


def grouped_interval(
    right: NDArray[np.bool_], groups: NDArray[np.int64], confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of a share where members of a group are alike, such as the images of one writer.

    Wilson's for as many independent images as would give the variance between groups, at most all of them (the
    effective sample size; Franco et al., 2019, "Comparative study of confidence intervals for proportions in complex
    sample surveys"). Where that variance is 0, as if each group were one image.

    Args:
        right: (N,), N >= 1.
        groups: (N,), which group each belongs to.
        confidence: of the interval.
    """
    _, place = np.unique(groups, return_inverse=True)
    images, correct = np.bincount(place), np.bincount(place, right)
    count, size, share = len(images), len(right), float(right.mean())
    variance = count / max(count - 1, 1) * float(((correct - share * images) ** 2).sum()) / size**2
    effective = min(size, share * (1 - share) / variance) if variance else count
    return _wilson(share, effective, confidence)


def _wilson(share: float, size: float, confidence: float) -> tuple[float, float]:
    squared = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    middle = share + squared / (2 * size)
    half = math.sqrt(squared * (share * (1 - share) / size + squared / (4 * size**2)))
    low, high = ((middle + sign * half) / (1 + squared / size) for sign in (-1, 1))
    return (low if share > 0 else 0.0), (high if share < 1 else 1.0)
