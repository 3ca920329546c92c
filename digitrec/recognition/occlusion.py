"""Which ink speaks for what was read: what is lost where paper covers it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from digitrec.recognition.networks.opening import Images, Probabilities

WINDOW = 5  # pixels of the paper's side
LEAST = 1e-6  # of a probability whose logarithm is taken


def evidence(read: Callable[[Images], Probabilities], image: Images, best: int, other: int) -> NDArray[np.float32]:
    """How much each pixel's ink speaks for one class against another.

    By occlusion (Zeiler and Fergus, 2014, arXiv:1311.2901).

    Args:
        read: images uint8 (N, 28, 28) -> probabilities (N, C); asked once.
        image: uint8 (28, 28), white ink on black.
        best: number of the one class.
        other: of the other.

    Returns:
        (28, 28): by how much the logarithm of the ratio of both probabilities falls where paper of 5x5 pixels covers
        ink, a mean over all places of the paper that cover the pixel; below 0 where ink speaks for the other class.
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
    lost, times = np.zeros((2, height, width), np.float32)
    for place, rest in zip(covering, others, strict=True):
        lost[place] += whole - rest
        times[place] += 1
    return np.where(image > 0, lost / times.clip(1), 0).astype(np.float32)
