"""What lies around the paper: a line along the picture's edge, and the desk that the paper lies on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Colours = NDArray[np.float32]
Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
DISTINCT = 0.12  # brightness between a line or a desk and the paper, at least
WIDEST_LINE = 0.04  # of the shorter side
SMALL = 128  # pixels of the longer side where a desk is looked for
THIN = 7  # of these pixels: what is thinner is writing
STEP = 0.06  # brightness from pixel to pixel but one where the paper ends
SHARP = 0.6  # share of the step that lies within three pixels: a shadow's edge is softer
SHEET = 0.06  # of the picture, at least
SQUARE = 0.85  # of the smallest rectangle around a sheet is filled by it
SIDE = 0.6  # of an edge that a desk covers, unless it has a corner


def only_paper(colours: Colours) -> Colours:
    """The picture with paper where a line along its edge and where the desk was: float32 (H, W, 3) in [0, 1].

    Args:
        colours: (H, W, 3) in [0, 1].
    """
    thick = edge_line(colours @ BRIGHTNESS)
    if thick:
        inner = colours[thick:-thick, thick:-thick]
        paper = np.median(np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]), axis=0)
        colours = np.broadcast_to(paper, colours.shape).copy()
        colours[thick:-thick, thick:-thick] = inner
    desk = _find_desk(colours)
    return colours if desk is None else _papered(colours, desk)


def edge_line(grey: Plane) -> int:
    """Pixels that a line along all four edges is thick; 0 where there is none, or nothing but it.

    Args:
        grey: (H, W) in [0, 1].
    """
    deepest = max(1, int(WIDEST_LINE * min(grey.shape)))
    if min(grey.shape) < 4 * (deepest + 3):
        return 0
    rings = [_ring(grey, depth) for depth in range(deepest + 1)]
    inner = np.median(grey[deepest + 1 : -deepest - 1, deepest + 1 : -deepest - 1])
    away = np.array([abs(np.median(ring) - inner) for ring in rings])
    low, high = np.quantile(rings[0], [0.1, 0.9])
    if away[0] < DISTINCT or high - low > away[0] / 2:
        return 0
    thick = int(np.argmax(away < 0.1 * away[0]))
    inside = grey[thick:-thick, thick:-thick] if thick else grey[:0]
    return thick if inside.size and np.ptp(inside) > DISTINCT else 0


def _ring(grey: Plane, depth: int) -> Plane:
    """Pixels that are `depth` away from the nearest edge."""
    inner = grey[depth : len(grey) - depth, depth : grey.shape[1] - depth]
    return np.concatenate([inner[0], inner[-1], inner[1:-1, 0], inner[1:-1, -1]])


class _Desk(NamedTuple):
    """What is no paper, (h, w), in a reduced picture, (h, w, 3)."""

    mask: Mask
    reduced: Colours


def _find_desk(colours: Colours) -> _Desk | None:
    height, width = colours.shape[:2]
    if min(height, width) < SMALL // 2:
        return None
    scale = min(1.0, SMALL / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    reduced = np.stack([_resize(colours[..., channel], size, Image.Resampling.BOX) for channel in range(3)], axis=2)
    plain = ndimage.median_filter(reduced @ BRIGHTNESS, THIN, mode="nearest")
    steps = ndimage.maximum_filter(plain, 3) - ndimage.minimum_filter(plain, 3)
    if steps.max() < DISTINCT:
        return None
    zones, count = ndimage.label(steps < STEP)
    if not count:
        return None
    paper = _paper(zones)
    beyond = _beyond(paper, plain)
    return _Desk(beyond, reduced) if beyond.any() else None


def _paper(zones: NDArray[np.int32]) -> Mask:
    """The sheet that lies in the middle with something on it, else the largest even zone."""
    areas = np.bincount(zones.ravel())
    areas[0] = 0
    for number in np.argsort(-areas)[:3]:
        if areas[number] >= SHEET * zones.size and _is_sheet(zones == number):
            return np.asarray(zones == number)
    return np.asarray(zones == int(np.argmax(areas)))


def _is_sheet(zone: Mask) -> bool:
    """Does a zone fill a rectangle that ends inside the picture, but for what is written on it?"""
    edges = zone[0].mean(), zone[-1].mean(), zone[:, 0].mean(), zone[:, -1].mean()
    if max(edges) > 0.1:
        return False
    filled = ndimage.binary_fill_holes(zone)
    rows, columns = (np.flatnonzero((filled & ~zone).any(axis)) for axis in (1, 0))
    written = max(len(rows), len(columns)) >= 0.1 * np.sqrt(zone.sum())
    return bool(written and zone.sum() >= 0.6 * filled.sum() and squareness(filled) >= SQUARE)


def squareness(shape: Mask) -> float:
    """Share that a shape (H, W) fills of the smallest rectangle around it, which may be askew by 15 degrees."""
    y, x = np.nonzero(shape & ~ndimage.binary_erosion(shape))
    if not len(x):
        return 0.0
    angles = np.deg2rad(np.arange(-15, 16, 1.5))[:, None]
    across, down = np.cos(angles) * x + np.sin(angles) * y, np.cos(angles) * y - np.sin(angles) * x
    smallest = ((np.ptp(across, axis=1) + 1) * (np.ptp(down, axis=1) + 1)).min()
    return float(shape.sum() / smallest)


def _beyond(paper: Mask, plain: Plane) -> Mask:
    """What reaches a corner or along an edge, if a sharp edge parts it from a sheet with something on it."""
    numbers, count = ndimage.label(~paper)
    found = np.zeros_like(paper)
    for number in range(1, count + 1):
        part = numbers == number
        corners = part[0, 0] or part[0, -1] or part[-1, 0] or part[-1, -1]
        sides = max(part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean())
        if (corners or sides >= SIDE) and _is_sharp(part, paper, plain):
            found |= part
    return found if found.any() and _is_written(paper, ~found) else np.zeros_like(paper)


def _is_written(paper: Mask, sheet: Mask) -> bool:
    """Is a sheet a rectangle with something on it that is no paper?"""
    inner = ndimage.binary_erosion(sheet, iterations=4, border_value=1)
    rows, columns = (np.flatnonzero((inner & ~paper).any(axis)) for axis in (1, 0))
    return bool(max(len(rows), len(columns)) >= 0.1 * np.sqrt(sheet.sum()) and squareness(sheet) >= SQUARE)


def _is_sharp(part: Mask, paper: Mask, plain: Plane) -> bool:
    """Does brightness change at once where a part meets the paper?"""
    reach = ndimage.binary_dilation(part, iterations=10) & paper, ndimage.binary_dilation(paper, iterations=10) & part
    border = ndimage.binary_dilation(part, iterations=2) & ndimage.binary_dilation(paper, iterations=2)
    if not (reach[0].any() and reach[1].any()):
        return False
    step = abs(float(np.median(plain[reach[0]]) - np.median(plain[reach[1]])))
    steepest = ndimage.maximum_filter(ndimage.maximum_filter(plain, 3) - ndimage.minimum_filter(plain, 3), 5)
    return step >= DISTINCT and float(np.median(steepest[border])) >= SHARP * step


def _papered(colours: Colours, desk: _Desk) -> Colours:
    """The picture with the nearest paper's colour where the desk was."""
    height, width = colours.shape[:2]
    mask = ndimage.binary_dilation(desk.mask, np.ones((3, 3), bool), iterations=2)
    rows, columns = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    filled = ndimage.gaussian_filter(desk.reduced[rows, columns], (1.5, 1.5, 0))
    planes = [
        _resize(np.ascontiguousarray(filled[..., c]), (width, height), Image.Resampling.BILINEAR) for c in range(3)
    ]
    covered = _resize(mask.astype(np.float32), (width, height), Image.Resampling.NEAREST) > 0
    return np.where(covered[..., None], np.stack(planes, axis=2), colours)


def _resize(plane: Plane, size: tuple[int, int], how: Image.Resampling) -> Plane:
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, how), dtype=np.float32)
