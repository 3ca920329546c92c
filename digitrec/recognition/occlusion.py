"""Occlusion maps: which ink supports a class, measured by covering it (Zeiler and Fergus, 2014, arXiv:1311.2901).

They need only probabilities, so they explain networks without torch too. `digitrec.evaluation.insight` has gradients,
and gives each pixel its share of a logit.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from digitrec.recognition.networks.network import Images, Probabilities

WINDOW = 5  # pixels of the square's side
LEAST = 1e-6  # probability whose logarithm is taken


def occlusion_map(read: Callable[[Images], Probabilities], image: Images, best: int, other: int) -> NDArray[np.float32]:
    """How much each pixel's ink supports one class over another.

    Args:
        read: images uint8 (N, 28, 28) -> probabilities (N, C); called once.
        image: uint8 (28, 28), white ink on black.
        best: number of the one class.
        other: of the other.

    Returns:
        (28, 28): the fall of log(p[best] / p[other]) where a square of 5x5 pixels is blank, averaged over the
        squares that cover the pixel; below 0 where ink supports the other class, 0 without ink.
    """
    height, width = image.shape
    places = [
        np.s_[y : y + WINDOW, x : x + WINDOW] for y in range(height - WINDOW + 1) for x in range(width - WINDOW + 1)
    ]
    covering = [place for place in places if image[place].any()]
    covered = np.repeat(image[None], 1 + len(covering), axis=0)
    for number, place in enumerate(covering, start=1):
        covered[number][place] = 0
    logs = np.log(read(covered).clip(LEAST))
    whole, *others = logs[:, best] - logs[:, other]
    fall, times = np.zeros((2, height, width), np.float32)
    for place, rest in zip(covering, others, strict=True):
        fall[place] += whole - rest
        times[place] += 1
    return np.where(image > 0, fall / times.clip(1), 0).astype(np.float32)
