"""Even zones of a picture: paper, a shadow, a desk."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from digitrec.preprocessing.planes import BOX, Colours, Plane, fitted, resized

Zones = NDArray[np.int32]

BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
SMALL = 128  # pixels of the longer side where zones are looked for
THIN = 7  # of these pixels: what is thinner is writing
STEP = 0.06  # brightness from pixel to pixel but one where a zone ends


class View(NamedTuple):
    """A small view of a picture.

    Attributes:
        colours: (h, w, 3) in [0, 1].
        background: (h, w), brightness without what is thin.
        steps: (h, w), by how much that changes from pixel to pixel but one.
        zones: (h, w), number of each even zone, 0 where brightness changes.
    """

    colours: Colours
    background: Plane
    steps: Plane
    zones: Zones

    @property
    def thin(self) -> Plane:
        """By how much what is thin stands out: (h, w)."""
        return np.asarray(np.abs(self.colours @ BRIGHTNESS - self.background))


def view(colours: Colours, longest: int = SMALL) -> View:
    """Look at a picture (H, W, 3) in [0, 1] from afar: its longer side in so many pixels, at most."""
    size = fitted(colours.shape, longest)
    small = np.stack([resized(colours[..., channel], size, BOX) for channel in range(3)], axis=2)
    background = ndimage.median_filter(small @ BRIGHTNESS, THIN, mode="nearest")
    steps = ndimage.maximum_filter(background, 3) - ndimage.minimum_filter(background, 3)
    return View(small, background, steps, ndimage.label(steps < STEP)[0])
