"""Printed or drawn rectangles around what is written, taken away."""

import numpy as np
from scipy import ndimage

from digitrec.preprocessing.planes import BOX, NEIGHBOURS, Mask, Plane, fitted, resized, resized_mask
from digitrec.preprocessing.surroundings import squareness

COARSE = 256  # pixels of the longer side where frames are looked for
SEEN = 0.12  # ink of a coarse pixel: a thin line fills only part of it
SIZE = 0.45  # of both sides of the picture, at least
FULL = 0.86  # a frame's share of its rectangle, with what it holds; that of an ellipse is 0.79
HOLLOW = 0.45  # of that is one hole, at least
THICKEST = 0.08  # of the frame's shorter side
ROUGH = 3  # coarse pixels by which its thickness varies
CONTENT = 0.25  # of the frame's height: what is in it, at least, or else it is a digit itself


def without_frame(ink: Plane, level: float = 1.0) -> Plane:
    """Ink (H, W) in [0, 1] without a rectangle's outline and what stands outside of it; `level` is full ink."""
    coarse = resized(ink, fitted(ink.shape, COARSE), BOX) >= SEEN * level
    inside = _inside_of_frame(coarse)
    if inside is None:
        return ink
    kept = resized_mask(inside, (ink.shape[1], ink.shape[0]))
    return np.where(kept, ink, 0).astype(np.float32)


def _inside_of_frame(inked: Mask) -> Mask | None:
    """What a frame encloses, (H, W); None where there is no frame."""
    numbers, _ = ndimage.label(inked, NEIGHBOURS)
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        sides = [part.stop - part.start for part in box]
        if min(side / whole for side, whole in zip(sides, inked.shape, strict=True)) < SIZE:
            continue
        outline = np.pad(numbers[box] == number, 1)
        filled = ndimage.binary_fill_holes(outline)
        if _largest_hole(filled & ~outline) >= HOLLOW * filled.sum() and squareness(filled) >= FULL:
            inner = _peeled(outline, filled)
            deeper = ndimage.binary_erosion(inner, iterations=ROUGH)
            written = np.flatnonzero((deeper & np.pad(inked[box], 1)).any(axis=1))
            if written.size and np.ptp(written) + 1 >= CONTENT * sides[0]:
                inside = np.zeros_like(inked)
                inside[box] = inner[1:-1, 1:-1]
                return inside
    return None


def _largest_hole(holes: Mask) -> int:
    """Pixels of the largest; those of a grid are many and small."""
    numbers, count = ndimage.label(holes)
    return int(np.bincount(numbers.ravel())[1:].max()) if count else 0


def _peeled(outline: Mask, filled: Mask) -> Mask:
    """A filled shape without its outermost layers, as long as they are inked; empty where they never end."""
    depth = ndimage.distance_transform_edt(filled)
    for thickness in range(1, int(THICKEST * min(filled.shape)) + 2):
        layer = (depth > thickness - 1) & (depth <= thickness)
        if outline[layer].mean() < 0.5:
            return np.asarray(depth > thickness)
    return np.zeros_like(filled)
