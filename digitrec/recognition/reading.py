"""What a picture of one digit was read as."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Reading:
    """What a picture was read as.

    Attributes:
        label: name of the most probable class; None where no digit was found.
        probabilities: of each class, by its name, the most probable first. Where `label` is None they are what the
            rejected ink looks most like; empty without any ink, and where the picture can't be opened.
        image: uint8 (28, 28), the network's input, white ink on black; None where the picture can't be opened.
        problem: why there is no label; None if there is one.
        note: what else its file or the picture holds that was not read; None if nothing.
        labels: prediction set of a network that was calibrated for one (`digitrec.calibrate --coverage`), the most
            probable first, maybe empty; None otherwise, and where `label` is None.
    """

    label: str | None
    probabilities: dict[str, float]
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    problem: str | None = None
    note: str | None = None
    labels: tuple[str, ...] | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label, 0 without one."""
        return 0.0 if self.label is None else self.probabilities[self.label]

    @property
    def is_readable(self) -> bool:
        """Whether the picture could be opened."""
        return self.image is not None
