"""Tells ink from paper: polarity, uneven light, ruled lines and the colour of the pen."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Plane = NDArray[np.float32]

BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
SMALL = 96  # pixels of the longer side when light is estimated
WIDEST = 3  # strokes are thinner than this part of the longer side
COARSE = 256  # pixels of the longer side when they are looked for
SLOPES = np.linspace(-0.12, 0.12, 25)  # of ruled lines, about 7 degrees
ENDS = 16  # ruled lines are seen in this part of the picture's width at both ends
FAINT = 0.06  # contrast below is paper
FULL = 0.9  # contrast above is left as it is: an image that is clean already shall stay so


def find_ink(colours: NDArray[np.float32]) -> Plane:
    """How much ink covers each pixel: float32 (H, W), 0 for paper, about 1 where the pen is at its darkest.

    Args:
        colours: (H, W, 3) in [0, 1].
    """
    contrast = _contrast(_dark_on_bright(colours))
    for turned in (False, True):
        plane = contrast.T if turned else contrast
        plane = _without_rules(plane)
        contrast = plane.T if turned else plane
    strongest = _level(contrast)
    return (contrast / strongest).clip(0, 1) if strongest > FAINT else np.zeros_like(contrast)


def _dark_on_bright(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture, or its negative where the surroundings are darker than what is drawn."""
    grey = colours @ BRIGHTNESS
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = np.median(border)
    low, high = np.quantile(grey, [0.005, 0.995])
    return colours if paper - low >= high - paper else 1 - colours


def _contrast(colours: NDArray[np.float32]) -> Plane:
    """Share of the light that ink takes away, in the mix of colours in which it takes most."""
    light = _light(colours)
    taken = ((light - colours) / light.clip(0.1)).clip(0, 1)
    strongest = taken.max(axis=2)
    inked = strongest >= np.quantile(strongest, 0.99)
    pen = taken[inked].mean(axis=0) + 1e-3
    contrast: Plane = (taken @ (pen / pen.sum())).astype(np.float32)
    return contrast


def _light(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """The paper under the ink: what is narrower than a third of the picture and darker than both sides is filled."""
    height, width = colours.shape[:2]
    scale = min(1.0, SMALL / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    size = max(small) // WIDEST | 1
    planes = []
    for channel in range(3):
        reduced = _resize(colours[..., channel], small, Image.Resampling.BOX)
        filled = ndimage.grey_closing(reduced, size=(size, size), mode="nearest")
        smooth = ndimage.gaussian_filter(filled, size / 8, mode="nearest")
        planes.append(_resize(smooth, (width, height), Image.Resampling.BILINEAR))
    return np.stack(planes, axis=2)


def _resize(plane: Plane, size: tuple[int, int], how: Image.Resampling) -> Plane:
    return np.asarray(Image.fromarray(plane).resize(size, how), dtype=np.float32)


def _without_rules(contrast: Plane) -> Plane:
    """Takes away lines that run from the left end to the right; what is clearly darker than they stays."""
    height, width = contrast.shape
    if min(height, width) < ENDS * 2:
        return contrast
    slope = _slope_of_rules(contrast)
    if slope is None:
        return contrast
    straight = _shear(contrast, slope)
    rules = _rules(straight)
    if rules.max() < FAINT:
        return contrast
    ink = _level(contrast)
    wide = ndimage.maximum_filter1d(rules, 3)[:, None]
    covered = (wide >= FAINT) & (straight < wide + 0.35 * (ink - wide).clip(0.05))
    gap = int(np.diff(np.flatnonzero(np.diff(np.r_[0, wide[:, 0] >= FAINT, 0])))[::2].max())
    kept = np.where(covered, 0, straight)
    bridged = np.minimum(ndimage.shift(kept, (gap, 0), order=0), ndimage.shift(kept, (-gap, 0), order=0))
    return _shear(np.where(covered, bridged, straight), -slope)


def _slope_of_rules(contrast: Plane) -> float | None:
    """The slope at which rows differ most in what they have in common from end to end; None if nowhere."""
    scale = min(1.0, COARSE / max(contrast.shape))
    size = round(contrast.shape[1] * scale), round(contrast.shape[0] * scale)
    coarse = _resize(np.ascontiguousarray(contrast), size, Image.Resampling.BOX)
    spread = [float(np.square(_rules(_shear(coarse, slope))).sum()) for slope in SLOPES]
    return float(SLOPES[int(np.argmax(spread))]) if max(spread) > (FAINT / 4) ** 2 else None


def _rules(contrast: Plane) -> Plane:
    """Contrast that each row has over most of its length and at both ends: (H,)."""
    end = max(2, contrast.shape[1] // ENDS)
    parts = contrast, contrast[:, :end], contrast[:, -end:]
    common = np.minimum.reduce([np.quantile(part, 0.4, axis=1) for part in parts])
    paper = np.median(common)
    rules: Plane = (common - paper).clip(0).astype(np.float32)
    return rules


def _shear(plane: Plane, slope: float) -> Plane:
    """Moves each column down by the slope times its distance from the middle; the border is repeated."""
    height, width = plane.shape
    rows = np.arange(height)[:, None] - np.rint(slope * (np.arange(width) - width / 2)).astype(int)
    sheared: Plane = plane[rows.clip(0, height - 1), np.arange(width)]
    return sheared


def _level(contrast: Plane) -> float:
    """Contrast of the ink where it is dark: a high quantile of what stands out, whatever share that has."""
    strongest = float(contrast.max())
    marked = contrast[contrast > strongest / 2]
    level = float(np.quantile(marked, 0.7)) if marked.size else 0.0
    return 1.0 if level > FULL else level
