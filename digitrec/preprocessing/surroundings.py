"""What lies around the paper: a line along the picture's edge, and the desk that the paper lies on."""

import numpy as np
from scipy import ndimage

from digitrec.preprocessing.planes import BILINEAR, NEIGHBOURS, Colours, Mask, Plane, resized, resized_mask
from digitrec.preprocessing.shadows import evenly_lit
from digitrec.preprocessing.zones import BRIGHTNESS, SMALL, View, Zones, view

EVEN = 0.012  # brightness within a ground of one colour
TORN = 0.25  # of a scrap, at most, looks like the ground, and of its edge like ink
SMALLEST = 12  # pixels of a scrap's shorter side
WRITTEN = 0.02  # of a scrap, at least, is ink
DISTINCT = 0.12  # brightness between a line or a desk and the paper, at least
WIDEST_LINE = 0.04  # of the shorter side
SHARP = 0.6  # share of the step that lies within three pixels: a shadow's edge is softer
SHEET = 0.06  # of the picture, at least
SQUARE = 0.85  # of the smallest rectangle around a sheet is filled by it, or of it by the largest quadrilateral
THICKER = 1.5  # times as thick as the thickest stroke is a desk, at least
DESK_EDGE = 0.6  # of an edge that a desk covers, unless it has a corner


def only_paper(colours: Colours, finest: int = SMALL) -> Colours:
    """Colours (H, W, 3) in [0, 1] with paper where a line along the edge and the desk were, without a shadow's edge.

    ``finest``: pixels of the longer side in which strokes are visible.
    """
    thick = edge_line(colours @ BRIGHTNESS)
    if thick:
        inner = colours[thick:-thick, thick:-thick]
        paper = np.median(np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]), axis=0)
        colours = np.broadcast_to(paper, colours.shape).copy()
        colours[thick:-thick, thick:-thick] = inner
    if min(colours.shape[:2]) < SMALL // 2:
        return colours
    seen = view(colours)
    if seen.steps.max() < DISTINCT:
        return colours
    evened = evenly_lit(colours, seen if finest == SMALL else view(colours, finest))
    if evened is not None:
        return evened
    desk = _desk(seen)
    return colours if desk is None else _papered(colours, seen, desk)


def scrap(colours: Colours) -> tuple[slice, slice]:
    """Rows and columns of a rectangle of paper on a ground of one colour; of all where there is none."""
    ground = np.abs(colours - colours[0, 0]).max(axis=2) <= EVEN
    rows, columns = (np.flatnonzero(~ground.all(axis)) for axis in (1, 0))
    if not len(rows) or not ground[[0, 0, -1, -1], [0, -1, 0, -1]].all():
        return np.s_[:, :]
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if colours[part].shape == colours.shape or ground[part].mean() > TORN or min(ground[part].shape) < SMALLEST:
        return np.s_[:, :]
    marked = np.abs(colours[part] - np.median(colours[part], axis=(0, 1))).max(axis=2) >= DISTINCT
    return part if marked[1:-1, 1:-1].mean() >= WRITTEN and _ring(marked, 0).mean() < 0.5 else np.s_[:, :]


def edge_line(grey: Plane) -> int:
    """Pixels that a line along all edges of (H, W) in [0, 1] is thick; 0 where there is none, or nothing but it."""
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


def _desk(seen: View) -> Mask | None:
    """What is no paper in a small view: (h, w)."""
    if not seen.zones.any():
        return None
    thin = seen.thin >= DISTINCT
    beyond = _beyond(_paper(seen.zones, thin), seen, thin)
    return beyond if beyond.any() else None


def _paper(zones: Zones, thin: Mask) -> Mask:
    """The sheet that lies in the middle with something on it, else the largest even zone."""
    areas = np.bincount(zones.ravel())
    areas[0] = 0
    for number in np.argsort(-areas)[:3]:
        if areas[number] >= SHEET * zones.size and _is_sheet(zones == number, thin):
            return np.asarray(zones == number)
    return np.asarray(zones == int(np.argmax(areas)))


def _is_sheet(zone: Mask, thin: Mask) -> bool:
    """Does a zone fill a rectangle that ends inside the picture, but for what is written on it?"""
    edges = zone[0].mean(), zone[-1].mean(), zone[:, 0].mean(), zone[:, -1].mean()
    if max(edges) > 0.1:
        return False
    filled = ndimage.binary_fill_holes(zone)
    even = zone.sum() >= 0.6 * filled.sum()
    return bool(even and cornered(filled) >= SQUARE and _is_written(filled, zone & ~thin))


def squareness(shape: Mask) -> float:
    """Share that a shape (H, W) fills of the smallest rectangle around it, which may be askew by 15 degrees."""
    y, x = np.nonzero(shape & ~ndimage.binary_erosion(shape))
    if not len(x):
        return 0.0
    angles = np.deg2rad(np.arange(-15, 16, 1.5))[:, None]
    across, down = np.cos(angles) * x + np.sin(angles) * y, np.cos(angles) * y - np.sin(angles) * x
    smallest = ((np.ptp(across, axis=1) + 1) * (np.ptp(down, axis=1) + 1)).min()
    return float(shape.sum() / smallest)


def cornered(shape: Mask) -> float:
    """Share that the largest quadrilateral fills of the hull of a shape (H, W), or the shape of it, if that is less.

    Of a sheet, from wherever it is seen, about 1; of an ellipse 0.64.
    """
    y, x = np.nonzero(shape & ~ndimage.binary_erosion(shape))
    if not len(x):
        return 0.0
    angles = np.deg2rad(np.arange(3, 363, 7.5))
    cos, sin = np.cos(angles), np.sin(angles)
    outermost = (cos[:, None] * x + sin[:, None] * y).argmax(axis=1)
    x, y = x[outermost] + np.sign(cos) / 2, y[outermost] + np.sign(sin) / 2  # corners of pixels
    across, down = x - x[:, None], y - y[:, None]
    aside = across[:, :, None] * down[:, None] - down[:, :, None] * across[:, None]  # of a point from a chord
    whole = abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
    largest = (aside.max(axis=2) - aside.min(axis=2)).max() / 2
    return float(min(largest, shape.sum()) / whole)


def _beyond(paper: Mask, seen: View, thin: Mask) -> Mask:
    """What reaches a corner or along an edge, if a sharp edge parts it from a sheet with something on it.

    And if it is not mostly paper, too, that lies beyond a stroke, nor a stroke itself, as thick as others.
    """
    background = seen.background
    numbers, count = ndimage.label(~paper)
    unlike = np.abs(background - np.median(background[paper])) >= DISTINCT
    inked = np.abs(seen.colours @ BRIGHTNESS - np.median(background[paper])) >= DISTINCT
    depth = ndimage.distance_transform_edt(np.pad(inked, 1))[1:-1, 1:-1]
    found = np.zeros_like(paper)
    for number in range(1, count + 1):
        part = numbers == number
        corners = part[0, 0] or part[0, -1] or part[-1, 0] or part[-1, -1]
        sides = max(part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean())
        is_stroke = depth[part].max() <= THICKER * depth[~part].max()
        is_beside = (corners or sides >= DESK_EDGE) and not is_stroke
        if is_beside and unlike[part].mean() >= 0.5 and _is_sharp(part, paper, background):
            found |= part
    sheet = ~found
    is_sheet = found.any() and max(squareness(sheet), cornered(sheet)) >= SQUARE
    return found if is_sheet and _is_written(sheet, paper & ~thin) else np.zeros_like(paper)


def _is_written(sheet: Mask, blank: Mask) -> bool:
    """Is there something on a sheet, away from its edge, that is not blank?"""
    inner = ndimage.binary_erosion(sheet, iterations=4, border_value=1)
    rows, columns = (np.flatnonzero((inner & ~blank).any(axis)) for axis in (1, 0))
    return bool(max(len(rows), len(columns)) >= 0.1 * np.sqrt(sheet.sum()))


def _is_sharp(part: Mask, paper: Mask, background: Plane) -> bool:
    """Does brightness change at once where a part meets the paper?"""
    reach = ndimage.binary_dilation(part, iterations=10) & paper, ndimage.binary_dilation(paper, iterations=10) & part
    border = ndimage.binary_dilation(part, iterations=2) & ndimage.binary_dilation(paper, iterations=2)
    if not (reach[0].any() and reach[1].any()):
        return False
    step = abs(float(np.median(background[reach[0]]) - np.median(background[reach[1]])))
    steepest = ndimage.maximum_filter(ndimage.maximum_filter(background, 3) - ndimage.minimum_filter(background, 3), 5)
    return step >= DISTINCT and float(np.median(steepest[border])) >= SHARP * step


def _papered(colours: Colours, seen: View, desk: Mask) -> Colours:
    """The picture with the nearest paper's colour where the desk was."""
    size = colours.shape[1], colours.shape[0]
    mask = ndimage.binary_dilation(desk, NEIGHBOURS, iterations=2)
    rows, columns = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    filled = ndimage.gaussian_filter(seen.colours[rows, columns], (1.5, 1.5, 0))
    planes = [resized(filled[..., channel], size, BILINEAR) for channel in range(3)]
    covered = resized_mask(mask, size)
    return np.where(covered[..., None], np.stack(planes, axis=2), colours)
