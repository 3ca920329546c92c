"""Printed lines: those that run through the whole picture, and those of tables and forms."""

import numpy as np
from scipy import ndimage

from digitrec.preprocessing.planes import Mask, Plane

SLOPES = np.linspace(-0.16, 0.16, 33)  # about 9 degrees
FINER = np.linspace(-0.008, 0.008, 9)
ENDS = 16  # lines are seen in this part of the picture's width at both ends
BLOCKS = 64  # of columns, each averaged: enough to show what a row has in common
THICKEST, THINNEST = 0.03, 6  # of the picture's height, and pixels: what is thicker than both may be a stroke
FAINT = 0.06  # contrast below is paper
DARK = 0.7  # of the ink's contrast: a line that has it may be a stroke
GAPS = 0.1  # of a stroke's length, at least, has less than
VOID = 0.15  # of the ink's contrast
FREE, MOST = 0.1, 0.6  # of a line: how much sticks out of a digit at either end, and how much a digit covers, at most
BLOCK = 8  # columns that are averaged when the slope of such lines is looked for
LINE = 0.5  # ink of a line's pixel, at least
LONG = 2.5  # usual heights of a digit: straight strokes that are longer are lines of a table


def without_rules(contrast: Plane, dark: bool = True) -> Plane:
    """Contrast (H, W) without the lines that run from end to end, level or upright; crossing strokes are mended.

    With ``dark``, also without those that are as dark as ink.
    """
    for _ in range(2):
        contrast = _without_level_rules(contrast, dark).T
    return contrast


def _without_level_rules(contrast: Plane, dark: bool) -> Plane:
    """What is clearly darker than the lines stays."""
    if min(contrast.shape) < ENDS * 2 or not _reaches_both_ends(contrast):
        return contrast
    slope = _slope_of_rules(contrast)
    if slope is None:
        return contrast
    straight = shear(contrast, slope)
    ink = ink_level(contrast)
    ruled, thickest = _thin(straight, ink, dark)
    if not ruled.any():
        return contrast
    level = _quantile(straight[ruled], 0.7)[:, None]
    covered = np.zeros(straight.shape, bool)
    covered[ruled] = straight[ruled] < level + 0.35 * (ink - level).clip(0.05)
    return shear(mended(straight, covered, thickest), -slope)


def _reaches_both_ends(contrast: Plane) -> bool:
    """Is there anything at both ends? Without it the search, which takes long, is left out."""
    width = contrast.shape[1]
    end = -(-width // ENDS) - (-width // BLOCKS)  # blocks may begin half a block away from the edge
    return bool(min(contrast[:, :end].max(), contrast[:, -end:].max()) >= FAINT)


def _thin(straight: Plane, ink: float, with_dark: bool) -> tuple[Mask, int]:
    """Those rows (H,) that are lines, not part of something thicker, and how thick the thickest of them is.

    Lines as dark as the ink are strokes if they have gaps, lie at an edge, end before it or bear what is as long.
    """
    blocks = _blocks(straight)
    rules = _rules(blocks)
    limit = max(THINNEST, round(THICKEST * len(rules)))
    edges = np.flatnonzero(np.diff(np.r_[0, ndimage.maximum_filter1d(rules, 3) >= FAINT, 0])).reshape(-1, 2)
    kept, dark = np.zeros(len(rules), bool), np.zeros(len(rules), bool)
    count = 0
    for start, end in edges:
        gap, usual = np.quantile(blocks[start:end].max(axis=0), [GAPS, 0.7])
        if usual < DARK * ink:
            kept[start:end] = end - start <= 2 * limit
            continue
        weakest = min(gap, straight[start:end, 0].max(), straight[start:end, -1].max())
        if start > 0 and end < len(rules) and weakest >= max(FAINT, VOID * ink) and end - start <= limit:
            dark[start:end] = True
            count += 1
    if with_dark and (count > 1 or (count and not _bears_as_long(blocks[~(kept | dark)] >= ink / 2))):
        kept |= dark
    return kept, max((int(end - start) for start, end in edges if kept[start]), default=0)


def _bears_as_long(inked: Mask) -> bool:
    """Does what is not part of a line, (h, w), reach one end of it or along most of it? Or is there nothing else?"""
    columns = np.flatnonzero(inked.any(axis=0))
    if not columns.size:
        return True
    free = min(columns[0], inked.shape[1] - 1 - columns[-1])
    return bool(free < FREE * inked.shape[1] or np.ptp(columns) >= MOST * inked.shape[1])


def mended(plane: Plane, covered: Mask, gap: int) -> Plane:
    """Paper where a level line covered it, or the stroke that goes on above and below, `gap` pixels away."""
    kept = np.where(covered, 0, plane)
    below, above = np.zeros_like(kept), np.zeros_like(kept)
    below[gap:], above[:-gap] = kept[:-gap], kept[gap:]
    return np.where(covered, np.minimum(below, above), plane)


def _slope_of_rules(contrast: Plane) -> float | None:
    """The slope at which rows differ most in what they have in common from end to end; None if nowhere."""
    blocks = _blocks(contrast)
    width = -(-contrast.shape[1] // BLOCKS)

    def spread(slope: float) -> float:
        return float(np.square(_rules(shear(blocks, slope * width))).sum())

    best = max(SLOPES, key=spread)
    best = max(best + FINER, key=spread)
    return float(best) if spread(best) > (FAINT / 4) ** 2 else None


def _rules(blocks: Plane) -> Plane:
    """Contrast that each row has over most of its length and at both ends: (H,)."""
    end = max(2, blocks.shape[1] // ENDS)
    parts = blocks, blocks[:, :end], blocks[:, -end:]
    common = np.minimum.reduce([_quantile(part, 0.4) for part in parts])
    rules: Plane = (common - np.median(common)).clip(0).astype(np.float32)
    return rules


def _quantile(rows: Plane, share: float) -> Plane:
    """Of each row; without interpolation, which takes most of numpy's time."""
    place = round(share * (rows.shape[1] - 1))
    quantiles: Plane = np.partition(rows, place, axis=1)[:, place]
    return quantiles


def _blocks(plane: Plane) -> Plane:
    """Means of up to 64 equal parts of each row: (H, W) -> (H, n)."""
    width = -(-plane.shape[1] // BLOCKS)
    if width < 2:
        return plane
    count = plane.shape[1] // width
    start = (plane.shape[1] - width * count) // 2
    even = plane[:, start : start + width * count]
    blocks: Plane = even.reshape(len(plane), count, width).mean(axis=2)
    return blocks


def shear(plane: Plane, slope: float) -> Plane:
    """Moves each column down by the slope times its distance from the middle; the border is repeated."""
    height, width = plane.shape
    rows = np.arange(height)[:, None] - np.rint(slope * (np.arange(width) - width / 2)).astype(int)
    sheared: Plane = plane[rows.clip(0, height - 1), np.arange(width)]
    return sheared


def ink_level(contrast: Plane) -> float:
    """Contrast of the ink where it is dark: a high quantile of what stands out, whatever share that has."""
    strongest = float(contrast.max())
    marked = contrast[contrast > strongest / 2]
    return float(np.quantile(marked, 0.7)) if marked.size else 0.0


def without_table(ink: Plane, height: float) -> Plane:
    """A page's ink (H, W) in [0, 1] without lines that are far longer than `height`, the usual one of its digits."""
    level = _without_long_lines(ink, height)
    return _without_long_lines(np.ascontiguousarray(level.T), height).T


def _without_long_lines(ink: Plane, height: float) -> Plane:
    length = round(LONG * height)
    for _ in range(2):  # both pairs of sides of a sheet seen from an angle
        slope = _slope_of_long_lines(ink, length)
        if slope is None:
            break
        straight = shear(ink, slope)
        lines = _long(straight, length, LINE)
        ink = shear(
            mended(straight, ndimage.binary_dilation(lines, np.ones((3, 1), bool)), _thickness(lines) + 2), -slope
        )
    return ink


def _slope_of_long_lines(ink: Plane, length: int) -> float | None:
    """The slope at which most pixels lie on runs of such a length; None if there are none."""
    width = ink.shape[1] // BLOCK * BLOCK
    if width < length:
        return None
    blocks = ink[:, :width].reshape(len(ink), -1, BLOCK).mean(axis=2)
    least = max(1, length // BLOCK)
    found = [int(_long(shear(blocks, slope * BLOCK), least, 0.7 * LINE).sum()) for slope in SLOPES]
    return float(SLOPES[int(np.argmax(found))]) if max(found) else None


def _long(ink: Plane, length: int, least: float) -> Mask:
    """Pixels that lie on a level run of so many inked ones; it may waver by a pixel."""
    inked = ndimage.maximum_filter1d(ink >= least, 2, axis=0)
    runs = ndimage.minimum_filter1d(inked, length, axis=1, mode="constant")
    return np.asarray(ndimage.maximum_filter1d(runs, length, axis=1, mode="constant"))


def _thickness(lines: Mask) -> int:
    """Rows of the thickest line."""
    numbers, _ = ndimage.label(lines)
    return max((box[0].stop - box[0].start for box in ndimage.find_objects(numbers)), default=0)
