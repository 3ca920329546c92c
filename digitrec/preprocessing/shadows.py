"""Shadows with an edge: their light is made even with that around them, so that strokes stand out from both."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from digitrec.preprocessing.planes import NEIGHBOURS, Colours, Mask, resized_mask
from digitrec.preprocessing.zones import THIN, View

LEAST = 0.03  # of the picture: smaller zones are not checked
DARKEST = 0.2  # of the light is left in a shadow
FAINTEST = 0.88  # is left in what is even light already
GREY = 0.5  # of the share that a shadow leaves of one colour, it leaves of each
DIM = 0.05  # light below has no clear colour
INKED = 0.3  # share of the light that a stroke takes away
CROSSED = 4  # pixels that a stroke goes on beyond a shadow's edge, on both sides
BAND = 3  # pixels on both sides of an edge, where its softness lies


def evenly_lit(colours: Colours, view: View) -> Colours | None:
    """Colours (H, W, 3) in [0, 1] with one light on both sides of an edge that a dark stroke crosses, or None."""
    areas = np.bincount(view.zones.ravel())
    areas[0] = 0
    paper = int(np.argmax(areas))
    if not areas[paper]:
        return None
    strokes = _strokes(view.colours)
    for number in np.flatnonzero(areas >= LEAST * view.zones.size):
        if number != paper and _is_at_edge(view.zones == number):
            shade = _shade(view, areas, paper, int(number))
            if shade is not None and _is_crossed(strokes, shade):
                return _relit(colours, view, shade)
    return None


def _is_at_edge(zone: Mask) -> bool:
    return bool(zone[0].any() or zone[-1].any() or zone[:, 0].any() or zone[:, -1].any())


def _strokes(colours: Colours) -> Mask:
    """What is clearly darker than the paper on both sides of it: (h, w)."""
    grey = colours.mean(axis=2)
    around = ndimage.grey_closing(grey, 2 * THIN + 1, mode="nearest")
    return np.asarray(grey < (1 - INKED) * around)


def _shade(view: View, areas: NDArray[np.intp], paper: int, number: int) -> Mask | None:
    """Pixels (h, w) that have rather a zone's light than the paper's; None if that is no shadow's light."""
    light, dark = (float(np.median(view.background[view.zones == zone])) for zone in (paper, number))
    share = min(light, dark) / max(light, dark, 1e-6)
    is_grey = _is_grey(view.colours[view.zones == number], view.colours[view.zones == paper])
    if not (is_grey and DARKEST <= share <= FAINTEST):
        return None
    levels = ndimage.mean(view.background, view.zones, np.arange(len(areas)))
    lit = (levels >= 0.75 * min(light, dark)) & (areas >= CROSSED)
    lit[0] = False
    shaded = np.abs(levels - dark) < np.abs(levels - light)
    rows, columns = ndimage.distance_transform_edt(~lit[view.zones], return_distances=False, return_indices=True)
    return np.asarray(shaded[view.zones[rows, columns]])


def _is_grey(one: Colours, other: Colours) -> bool:
    """Does one of two zones, (n, 3) each, differ from the other in all colours alike? Of a pen's own, it does not."""
    shares = np.median(one, axis=0).clip(DIM) / np.median(other, axis=0).clip(DIM)
    return bool(shares.min() >= GREY * shares.max())


def _is_crossed(strokes: Mask, shade: Mask) -> bool:
    """Does a stroke go on from one side of a shadow's edge to the other, as on no sheet that ends there?"""
    inward, outward = ndimage.distance_transform_edt(shade), ndimage.distance_transform_edt(~shade)
    near = np.maximum(inward, outward) <= 2 * CROSSED
    numbers, count = ndimage.label(strokes & near, NEIGHBOURS)
    if not count:
        return False
    every = np.arange(1, count + 1)
    deep = [np.asarray(ndimage.maximum(side, numbers, every)) >= CROSSED for side in (inward, outward)]
    return bool((deep[0] & deep[1]).any())


def _relit(colours: Colours, view: View, shade: Mask) -> Colours:
    """The picture (H, W, 3) with a shadow's light divided out; in its soft edge, by brightness."""
    light, dark = (np.median(view.colours[_beside(side, ~side, view.zones > 0)], axis=0) for side in (~shade, shade))
    share = (dark / light.clip(1e-3)).astype(np.float32)
    inside, edge = (_large(mask, colours) for mask in (shade, _near(shade, BAND) & _near(~shade, BAND)))
    depth = (colours / light.clip(1e-3)).clip(np.minimum(share, 1), np.maximum(share, 1))
    evened: Colours = (colours / np.where(edge, depth, np.where(inside, share, 1)).clip(1e-3)).clip(0, 1)
    return evened.astype(np.float32)


def _beside(side: Mask, other: Mask, even: Mask) -> Mask:
    """Even pixels of a side that lie near the other one, or all of the side."""
    near = side & even & _near(other, 4 * BAND)
    return near if near.any() else side


def _near(mask: Mask, pixels: int) -> Mask:
    return np.asarray(ndimage.binary_dilation(mask, iterations=pixels))


def _large(mask: Mask, colours: Colours) -> Mask:
    """A small view's mask in the picture's size: (H, W, 1)."""
    return resized_mask(mask, (colours.shape[1], colours.shape[0]))[..., None]
