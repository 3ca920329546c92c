"""The width of strokes, brought near that of MNIST's pens."""

import numpy as np
from scipy import ndimage

from digitrec.preprocessing.framing import INK_SIDE
from digitrec.preprocessing.planes import BICUBIC, Plane, resized

# Pixels in MNIST's frame. Of its training digits, 95 % lie between these.
THINNEST, THICKEST = 1.5, 4.4
THIN, THICK = 2.2, 3.6  # what thinner and thicker strokes are brought to
DOT = 7.0  # from which on it is no stroke: dots and solid shapes are left for the network to reject
FINE = 120  # pixels of the digit's longer side, at least, when strokes are redrawn


def usual_pen(ink: Plane) -> Plane:
    """A digit, (H, W) in [0, 1] cropped to it, as if drawn with a pen of a usual width; a dot stays as it is."""
    side = max(ink.shape)
    scale = INK_SIDE / side
    width = stroke_width(ink) * scale
    if THINNEST <= width <= THICKEST or width >= DOT or not width:  # a width of 0: all ink is faint
        return ink
    wanted = THIN if width < THINNEST else THICK
    factor = max(1, -(-FINE // side))
    fine = resized(ink, (ink.shape[1] * factor, ink.shape[0] * factor), BICUBIC).clip(0, 1)
    excess = (width - wanted) / 2 * max(fine.shape) / INK_SIDE  # pixels on either side
    margin = int(np.ceil(max(0.0, -excess))) + 1
    return _narrowed(fine, excess) if excess > 0 else _widened(np.pad(fine, margin), -excess)


def stroke_width(ink: Plane) -> float:
    """Pixels across a typical stroke; 0 without ink."""
    inked = np.pad(ink >= 0.5, 1)
    if not inked.any():
        return 0.0
    depth = ndimage.distance_transform_edt(inked)
    ridge = inked & (depth == ndimage.maximum_filter(depth, 3))
    length = max(1, int(ridge.sum()))
    return min(2 * float(np.median(depth[ridge])) - 0.5, float(inked.sum()) / length * 2)


def _widened(ink: Plane, by: float) -> Plane:
    outside = ndimage.distance_transform_edt(ink < 0.5)
    wider: Plane = np.maximum(ink, (1.5 + by - outside).clip(0, 1), dtype=np.float32)
    return wider


def _narrowed(ink: Plane, by: float) -> Plane:
    depth = ndimage.distance_transform_edt(np.pad(ink >= 0.5, 1))[1:-1, 1:-1]
    centre = (depth == ndimage.maximum_filter(depth, 3)) & (depth > 0)  # never lost, so that no stroke breaks
    narrower: Plane = np.multiply(ink, np.maximum((depth + 0.5 - by).clip(0, 1), centre), dtype=np.float32)
    return narrower
