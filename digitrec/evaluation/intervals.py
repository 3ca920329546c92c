"""Sampling intervals of shares, without torch."""


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson, 1927), within [0, 1].

    Raises:
        ValueError: not 0 <= successes <= trials, no trials, or a confidence outside (0, 1).
    """
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(found.low) if successes else 0.0, float(found.high) if successes < trials else 1.0
