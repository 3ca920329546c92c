"""Rejection of images that show no digit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from digitrec.data.labels import are_digits
from digitrec.preprocessing.framing import INK_SIDE, WHITE

INK_AREA = INK_SIDE**2
FLATTEST = 3.0  # times as wide as high; the flattest of MNIST's digits is 2.5
MOST_INK = 0.85  # share of the digit's 20x20 pixels
FINEST = 4.0  # strokes that an inked row, or column, crosses on average


def rejection_reason(
    image: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    threshold: float | None = None,
) -> str | None:
    """Why an image is rejected as no digit; None if it is accepted.

    Args:
        image: uint8 (28, 28), white ink on black.
        probabilities: (C,), the network's output for it.
        class_names: of these classes; where they are not digits, clothes for instance, any ink is accepted.
        threshold: least certainty of a digit; None for networks that were not trained to reject.
    """
    ink = image.astype(float).sum() / WHITE / INK_AREA
    if not ink:
        return "no ink found"
    if not np.isfinite(probabilities).all():
        return "the network's output is not a number"
    if not are_digits(class_names):
        return None
    if (flat := flatness(image)) > FLATTEST:
        return f"{flat:.0f} times as wide as high, a digit at most {FLATTEST:.0f}"
    if ink > MOST_INK:
        return f"ink covers {ink:.0%} of it, of a digit at most {MOST_INK:.0%}"
    if (strokes := crossings(image)) > FINEST:
        return f"too fine a texture, {strokes:.1f} strokes side by side, in a digit at most {FINEST}"
    if threshold is not None and (certainty := float(certainties(probabilities))) < threshold:
        return f"it looks like none (confidence {certainty:.0%}, threshold {threshold:.0%})"
    return None


def certainties(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Certainty that images show some digit: (..., C) -> (...) in [0, 1].

    The two most probable classes together: what may be a 4 or a 9 is a digit.
    """
    top: NDArray[np.float32] = np.partition(probabilities, -2, axis=-1)[..., -2:].sum(axis=-1)
    return top


def threshold_for(certainties_of_digits: NDArray[np.float32], accepted: float = 0.99) -> float:
    """The threshold that a share of digits reaches or passes."""
    return float(np.quantile(certainties_of_digits, 1 - accepted, method="lower"))


def flatness(image: NDArray[np.uint8]) -> float:
    """Width over height of the ink; 0 without any."""
    inked = image >= (WHITE + 1) // 8  # faint strokes count, or the one bold stroke of a digit would stand for it
    rows, columns = (np.flatnonzero(inked.any(axis)) for axis in (1, 0))
    return float((np.ptp(columns) + 1) / (np.ptp(rows) + 1)) if rows.size else 0.0


def crossings(image: NDArray[np.uint8]) -> float:
    """Strokes side by side in an inked row, or in an inked column where there are more: a mean over them."""
    inked = np.pad(image >= (WHITE + 1) // 2, 1)
    starts = [(inked & ~np.roll(inked, 1, axis)).sum(axis) for axis in (0, 1)]
    return max(float(count[count > 0].mean()) if count.any() else 0.0 for count in starts)
