"""How sure a network may be: temperature, threshold of rejection and prediction sets, from images held out.

Pure functions of probabilities (N, C), labels (N,) and certainties (N,); scipy is imported where it is used.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from digitrec.errors import UsageError
from digitrec.models.classifier import DigitClassifier, last_dense

LOWEST, HIGHEST = 0.3, 10.0  # temperatures; without a mistake among the images the best would be 0
CONFIDENCE = 0.95  # of the promise about mistakes
SHARES = (1, 0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)  # of images to accept
SAME = 1e-3  # largest difference of probabilities by rounding


def fit_temperature(probabilities: Tensor, labels: Tensor) -> float:
    """What to divide the logits by for the least cross-entropy (Guo et al., 2017, section 4.2), `LOWEST` to `HIGHEST`.

    In float64. Logarithms of the probabilities do for logits: the two differ by a number for each image.
    """
    from scipy.optimize import minimize_scalar

    logits, labels = _logits(probabilities), labels.long()

    def loss(logarithm: float) -> float:
        return F.cross_entropy(logits / math.exp(logarithm), labels).item()

    # As a function of 1 / temperature the loss is convex: there is one minimum.
    found = minimize_scalar(loss, bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded")
    return math.exp(found.x) if found.fun < loss(0.0) else 1.0


def divide_logits(classifier: DigitClassifier, temperature: float, images: Tensor) -> None:
    """Divide the logits in the last dense layer: whatever reads or exports the network is calibrated by that.

    Args:
        classifier: in evaluation mode; its weights are changed.
        temperature: above 0.
        images: (B, C, H, W), to try that it has the effect.

    Raises:
        UsageError: the last dense layer is not what gives the logits.
    """
    _, layer = last_dense(classifier)
    with torch.no_grad():
        expected = (classifier(images) / temperature).softmax(dim=1)
        for parameter in layer.parameters() if layer else ():
            parameter.div_(temperature)
        changed = classifier(images).softmax(dim=1)
    if not changed.allclose(expected, rtol=0, atol=SAME):
        raise UsageError(f"{classifier.network_name}: its last dense layer does not give its logits; nothing to scale")


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    """Mean squared distance of the probabilities from 1 for the label and 0 for the others, 0 to 2 (Brier, 1950)."""
    wanted = F.one_hot(labels.long(), probabilities.shape[1])
    return (probabilities.double() - wanted).square().sum(dim=1).mean().item()


def risk_threshold(certainties: NDArray[Any], correct: NDArray[np.bool_], risk: float) -> float:
    """The threshold that accepts the largest of `SHARES` with a share of mistakes below `risk`, 95 % sure.

    Held to be below is what the upper end of the exact interval is (one-sided; Clopper and Pearson, 1934), at a level
    that is parted among the shares tried (Bonferroni), so that the promise holds for whichever comes out; selective
    risk as of Geifman and El-Yaniv (2017, arXiv:1705.08500).

    Args:
        certainties: (N,), of images held out.
        correct: (N,), whether they were read right.
        risk: in (0, 1).

    Raises:
        UsageError: none of the shares has so few mistakes.
    """
    from scipy.special import betaincinv

    level, least = 1 - (1 - CONFIDENCE) / len(SHARES), 1.0
    for share in SHARES:
        threshold = float(np.quantile(certainties, 1 - share, method="lower"))
        accepted = certainties >= threshold
        size, wrong = int(accepted.sum()), int((accepted & ~correct).sum())
        bound = float(betaincinv(wrong + 1, size - wrong, level)) if wrong < size else 1.0
        if bound <= risk:
            return threshold
        least = min(least, bound)
    raise UsageError(
        f"--risk {risk:g}: with {len(correct)} images held out, {int((~correct).sum())} of them read wrong, "
        f"no less than {least:.2g} can be promised; next: a larger risk, or more images held out"
    )


def conformal_quantile(probabilities: Tensor, labels: Tensor, coverage: float) -> float:
    """Greatest score of a class in a prediction set: 1 - p of the label, at rank ceil((n + 1) coverage) of n images.

    Sets of classes of that score at most contain the label of a new image of the same kind with this probability or
    more (Angelopoulos and Bates, 2021, arXiv:2107.07511, section 1).

    Raises:
        UsageError: so few images that only sets of all classes would do.
    """
    scores, size = _scores(probabilities).gather(1, labels.long()[:, None])[:, 0], len(labels)
    rank = math.ceil((size + 1) * coverage - 1e-9)  # 0.9 * 10 is above 9
    if rank > size:
        needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise UsageError(f"--coverage {coverage:g}: needs {needed} images held out, there are {size}")
    return scores.sort().values[rank - 1].item()


def prediction_sets(probabilities: Tensor, quantile: float) -> Tensor:
    """Whether each class is in the set of an image, (N, C) bool; a set may be empty where no class is likely enough."""
    return _scores(probabilities) <= quantile


def _scores(probabilities: Tensor) -> Tensor:
    return 1 - probabilities.double()


def _logits(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).double().log()
