"""Median milliseconds of a network for one image: python -m scripts.measure.benchmark.one_image FILE."""

import sys
import time
from statistics import median

import numpy as np

from digitrec.recognition.networks.opening import open_network

WARM, TIMES = 50, 1000


def main() -> None:
    """Time the network of a file."""
    network = open_network(sys.argv[1])
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    seconds = []
    for _ in range(WARM + TIMES):
        start = time.perf_counter()
        network(image)
        seconds.append(time.perf_counter() - start)
    print(1000 * median(seconds[WARM:]))  # for `scripts.measure.benchmark.measures`


if __name__ == "__main__":
    main()
