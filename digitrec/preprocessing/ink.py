"""Separates ink from paper: polarity, uneven light and the colour of the pen."""

import numpy as np
from scipy import ndimage

from digitrec.preprocessing.frames import without_frame
from digitrec.preprocessing.marks import SPECK
from digitrec.preprocessing.planes import BILINEAR, BOX, NEIGHBOURS, Colours, Mask, Plane, fitted, resized
from digitrec.preprocessing.rules import FAINT, ink_level, without_rules
from digitrec.preprocessing.surroundings import only_paper, scrap
from digitrec.preprocessing.zones import BRIGHTNESS
from digitrec.preprocessing.zones import SMALL as SEEN

SMALL = 96  # pixels of the longer side when light is estimated
WIDEST_STROKE = 3  # strokes are thinner than this part of the longer side
NARROW = 1.5  # strokes are narrower than what they enclose: than the longer side divided by this and by widest squared
CLEAR = 0.1  # contrast that all but a 200th of the pixels shows at both ends
UNCLEAR = 0.3  # brightness of the border, away from the middle between darkest and brightest, at which light is clear
DECISIVE = 2.0  # times as much dark as bright, or bright as dark, of what is narrower than strokes may be
ENOUGH = 0.2  # of what is as narrow as strokes may be: less is noise
UNSURE = 2 / 3  # odds of dark to bright strokes, or of bright to dark, from which on the border is overruled
WRITTEN = 0.25  # of a page, at most
TWO_TONES = 0.65  # of the pixels are clearly dark or clearly bright where shapes decide which of the two is ink
PAPER = 0.5  # of a picture is paper, at least
GRAIN = 1.6  # times the ink that this share of the picture has at most is grain of the paper
FINE = 0.1  # of such ink, and less, changes nothing
INSIDE = 0.1  # of the ink, and more, is a hole that is looked into
SOLID = 0.7  # of the way from paper to pen, and more: then the hole is the inside of something solid
FULL = 0.9  # contrast above is left as it is: an image that is clean already shall stay so


def find_ink(colours: Colours, widest: int = WIDEST_STROKE, whole: bool = False) -> Plane:
    """How much ink covers each pixel: float32 (H, W), 0 for paper, about 1 where the pen is at its darkest.

    Args:
        colours: (H, W, 3) in [0, 1].
        widest: strokes are thinner than the longer side divided by this.
        whole: frames and dark lines are ink as well.
    """
    part = scrap(colours)
    if colours[part].shape != colours.shape:
        ink = np.zeros(colours.shape[:2], np.float32)
        ink[part] = find_ink(colours[part], widest, whole)
        return ink
    contrast = _contrast(_dark_on_bright(only_paper(colours, SEEN * widest // WIDEST_STROKE), widest), widest)
    contrast = without_rules(contrast if whole else without_frame(contrast, ink_level(contrast)), dark=not whole)
    level = ink_level(contrast)
    strongest = 1.0 if level > FULL else level
    if strongest <= FAINT:
        return np.zeros_like(contrast)
    ink = (contrast / strongest).clip(0, 1)
    grain = GRAIN * float(np.quantile(ink, PAPER))
    return _solid(((ink - grain) / (1 - grain)).clip(0, 1) if FINE < grain < 0.5 else ink, colours)


def _solid(ink: Plane, colours: Colours) -> Plane:
    """Ink without the holes that are as dark as it: solid shapes, wider than strokes, come out as outlines."""
    inked = ink >= 0.5
    numbers, count = ndimage.label(~inked)
    areas = np.bincount(numbers.ravel(), minlength=count + 1)
    border = np.unique(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]))
    large = areas >= INSIDE * areas[0]
    large[border] = large[0] = False
    if not large.any():
        return ink
    pen, paper = (np.median(colours[part], axis=0) for part in (inked, np.isin(numbers, border[border > 0])))
    for number in np.flatnonzero(large):
        inside = numbers == number
        if (np.median(colours[inside], axis=0) - paper) @ (pen - paper) >= SOLID * np.square(pen - paper).sum():
            ink = np.where(inside, np.float32(1), ink)
    return ink


def _dark_on_bright(colours: Colours, widest: int) -> Colours:
    """The picture, or its negative where the surroundings are darker than what is drawn."""
    grey = colours @ BRIGHTNESS
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    low, high = np.quantile(grey, [0.005, 0.995])
    if high - low < CLEAR:  # so thin a pen, or so small a digit
        low, high = grey.min(), grey.max()
    brightness = (np.median(border) - low) / max(high - low, 1e-6)
    is_dark_on_bright = bool(brightness >= 0.5)
    odds = UNSURE if is_dark_on_bright else 1 / UNSURE
    is_dark = grey < (low + high) / 2
    is_unclear = abs(brightness - 0.5) < UNCLEAR
    if is_unclear or is_dark_on_bright == (is_dark.mean() > 0.5):  # thick strokes, perhaps along the edges
        dark, bright = _count_at_border(is_dark), _count_at_border(~is_dark)
        is_two_toned = (np.abs(grey - (low + high) / 2) >= (high - low) / 4).mean() >= TWO_TONES
        if widest > WIDEST_STROKE and is_two_toned and min(is_dark.mean(), 1 - is_dark.mean()) < WRITTEN:
            is_dark_on_bright = is_dark.mean() < 0.5
        elif widest == WIDEST_STROKE and is_two_toned and 0 < min(dark, bright) < max(dark, bright):
            is_dark_on_bright = dark < bright
        elif is_unclear or np.ptp(border) >= CLEAR:
            is_dark_on_bright = _has_dark_strokes(grey, widest, odds, thick=not is_unclear)
    return colours if is_dark_on_bright else 1 - colours


def _count_at_border(side: Mask) -> int:
    """Connected pieces at the border that are no specks: a digit cropped to its ink is one, its paper several."""
    numbers, _ = ndimage.label(side, NEIGHBOURS)
    areas = np.bincount(numbers.ravel())
    pieces = np.unique(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]))
    return int((areas[pieces[pieces > 0]] >= SPECK * areas[1:].max(initial=0)).sum())


def _has_dark_strokes(grey: Plane, widest: int, odds: float, thick: bool = False) -> bool:
    """Is more dark than bright, by these odds, of what is narrow? Shadows are wide.

    The narrowest is tried first, as what a stroke encloses may be narrow, too, but less so; not for thick strokes along
    the edges, which leave slits.
    """
    small = resized(grey, fitted(grey.shape, SMALL * widest / WIDEST_STROKE), BOX)
    size = int((1 + thick) * max(small.shape) / (NARROW * widest**2)) | 1
    whole = _narrow(small, size)
    for finer in range(3, 3 if thick else size, 2):
        dark, bright = _narrow(small, finer)
        if max(dark, bright) >= max(DECISIVE * min(dark, bright), ENOUGH * max(whole)):
            return dark > bright
    return whole[0] >= odds * whole[1]


def _narrow(plane: Plane, size: int) -> tuple[float, float]:
    """Energy of what is narrower than so many pixels: darker than what is around it, and brighter."""
    dark = ndimage.grey_closing(plane, size=(size, size), mode="nearest") - plane
    bright = plane - ndimage.grey_opening(plane, size=(size, size), mode="nearest")
    return float(np.square(dark).sum()), float(np.square(bright).sum())


def _contrast(colours: Colours, widest: int) -> Plane:
    """Share of the light that ink takes away, in the mix of colours in which it takes most."""
    light = _light(colours, widest)
    taken = ((light - colours) / light.clip(0.1)).clip(0, 1)
    strongest = taken.max(axis=2)
    inked = strongest >= np.quantile(strongest, 0.99)
    pen = taken[inked].mean(axis=0) + 1e-3
    contrast: Plane = (taken @ (pen / pen.sum())).astype(np.float32)
    return contrast


def _light(colours: Colours, widest: int) -> Colours:
    """The paper under the ink: what is narrower than strokes can be and darker than both sides is filled."""
    small = fitted(colours.shape, SMALL)
    size = max(small) // widest | 1
    planes = []
    for channel in range(3):
        reduced = resized(colours[..., channel], small, BOX)
        filled = ndimage.grey_closing(reduced, size=(size, size), mode="nearest")
        smooth = ndimage.gaussian_filter(filled, size / 8, mode="nearest")
        planes.append(resized(smooth, (colours.shape[1], colours.shape[0]), BILINEAR))
    return np.stack(planes, axis=2)
