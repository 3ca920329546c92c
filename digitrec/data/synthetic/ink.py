"""Pens: written strokes become images framed like MNIST's, or ink on a canvas of any size."""

import math

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from digitrec.data.framing import frame
from digitrec.data.synthetic.strokes import Strokes
from digitrec.preprocessing.framing import INK_SIDE

CHUNK = 256  # digits drawn at once: what they need stays in the processor's cache


def pens(strokes: Strokes, generator: torch.Generator, thin: float = 0.15, thick: float = 0.1) -> Tensor:
    """Draw widths of pens (N,) in pixels of MNIST's framing, none so wide that its digit fills up with ink.

    Most are MNIST's own: of its first 10,000 training digits, measured by twice the area over the length of the
    edge, the width has a median of 2.5 pixels, its logarithm a standard deviation of 0.27. A share `thin` is
    drawn from [0.7, 1.7] instead, a share `thick` from [3.8, 5.5].
    """
    count = len(strokes.points)
    normal, place, kind = torch.randn(count, generator=generator), *torch.rand(2, count, generator=generator)
    widths = (2.5 * torch.exp(0.27 * normal)).clamp(1.2, 4.6)
    widths = torch.where(kind < thin, 0.7 + place, widths)
    widths = torch.where(kind > 1 - thick, 3.8 + 1.7 * place, widths)
    return torch.minimum(widths, widest(strokes))


def widest(strokes: Strokes) -> Tensor:
    """Width of pen (N,), in pixels of MNIST's framing, above which counters close: ink may cover 55 %."""
    present = strokes.pressure > 0
    low, high = _extent(strokes.points, strokes.points, ~present[..., None])
    scale = (INK_SIDE - 2.5) / (high - low).amax(1)
    length: Tensor = (strokes.points.diff(dim=2).norm(dim=-1) * present[:, :, 1:]).sum((1, 2))
    area = _area(strokes.points, present) * scale**2 + 130  # square pixels, with a margin of two or three
    return 0.55 * area.clamp(min=170) / (length * scale)


def _area(points: Tensor, present: Tensor) -> Tensor:
    """Area (N,) of a box about strokes (N, S, K, 2), by their spread: a slant leaves it as it is."""
    share = (present / present.sum((1, 2), keepdim=True)).flatten(1)[..., None]
    points = points.flatten(1, 2)
    points = points - (share * points).sum(1, keepdim=True)
    spread = points.mT @ (share * points)
    area: Tensor = 8 * torch.linalg.det(spread).clamp(min=0).sqrt()  # exact for the box about an ellipse
    return area


def draw(strokes: Strokes, pen: Tensor) -> Tensor:
    """Draw digits in MNIST's framing: uint8 (N, 1, 28, 28), white ink on black.

    Args:
        strokes: N digits.
        pen: (N,) widths in pixels of these images, above 0.
    """
    order = pen.argsort()
    images = torch.empty(len(pen), 1, 28, 28, dtype=torch.uint8)
    for rows in order.split(CHUNK):
        radius = strokes.pressure[rows] * pen[rows, None, None] / 2
        ink = (255 * _cover(fit(strokes.points[rows], radius), radius)).round().to(torch.uint8)
        images[rows, 0] = torch.stack([frame(digit) for digit in ink])
    return images


def fit(points: Tensor, radius: Tensor, side: float = INK_SIDE) -> Tensor:
    """Scale digits so that their ink is as long as a square, and centre it there: points (N, S, K, 2) in [0, side].

    Args:
        points: (N, S, K, 2).
        radius: (N, S, K) half the width of the ink, in units of the square; 0 where a stroke is absent.
        side: of the square.
    """
    absent, radii = (radius == 0)[..., None], radius[..., None]
    span = _extent(points, points, absent)
    spread = (span[1] - span[0]).amax(-1)
    scale = side / spread
    for _ in range(4):  # the ends of wide and narrow places trade leads as the size changes
        scaled = points * scale.view(-1, 1, 1, 1)
        low, high = _extent(scaled - radii, scaled + radii, absent)
        scale = scale + (side - (high - low).amax(-1)) / spread
    scaled = points * scale.view(-1, 1, 1, 1)
    low, high = _extent(scaled - radii, scaled + radii, absent)
    return scaled + (side / 2 - (low + high) / 2)[:, None, None]


def _extent(low: Tensor, high: Tensor, absent: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest coordinates (N, 2) of points (N, S, K, 2) that are not absent."""
    return (
        low.masked_fill(absent, math.inf).flatten(1, 2).amin(1),
        high.masked_fill(absent, -math.inf).flatten(1, 2).amax(1),
    )


def _cover(points: Tensor, radius: Tensor) -> Tensor:
    """Share of each pixel that is inked, (N, 20, 20) in [0, 1], by the distance to the nearest piece of stroke."""
    a, b = points[:, :, :-1].flatten(0, 2), points[:, :, 1:].flatten(0, 2)
    from_a, to_b = radius[:, :, :-1].flatten(), radius[:, :, 1:].flatten()
    digit = torch.arange(len(points)).repeat_interleave(len(a) // len(points))
    inked = from_a > 0
    a, b, from_a, to_b, digit = a[inked], b[inked], from_a[inked], to_b[inked], digit[inked]
    reach = math.ceil(float((b - a).norm(dim=1).max() / 2 + radius.max()) + 0.5)
    padding, window = reach + 1, torch.arange(-reach, reach + 1)
    corner = ((a + b) / 2).floor().clamp(0, INK_SIDE).long()
    x, y = corner[:, :1] + window, corner[:, 1:] + window
    share = _shares(x[:, None, :] + 0.5, y[:, :, None] + 0.5, a, b, from_a, to_b)
    side = INK_SIDE + 2 * padding + 1
    place = (digit[:, None, None] * side + y[:, :, None] + padding) * side + x[:, None, :] + padding
    canvas = torch.zeros(len(points) * side * side)
    canvas.scatter_reduce_(0, place.flatten(), share.flatten(), "amax")
    inner = slice(padding, padding + INK_SIDE)
    return canvas.view(len(points), side, side)[:, inner, inner]


def _shares(x: Tensor, y: Tensor, a: Tensor, b: Tensor, from_a: Tensor, to_b: Tensor) -> Tensor:
    """Ink of M pieces from a to b, (M, 2), on pixels around each: x (M, 1, w), y (M, h, 1) -> (M, h, w)."""
    ax, ay = (value[:, None, None] for value in a.unbind(1))
    dx, dy = (value[:, None, None] for value in (b - a).unbind(1))
    x, y = x - ax, y - ay
    along = ((x * dx + y * dy) / (dx * dx + dy * dy).clamp(min=1e-6)).clamp_(0, 1)
    radius = from_a[:, None, None] + along * (to_b - from_a)[:, None, None]
    distance = torch.hypot(x - along * dx, y - along * dy)
    return torch.minimum(radius + 0.5 - distance, 2 * radius).clamp_(0, 1)


def paint(points: Tensor, width: Tensor, size: tuple[int, int]) -> Image.Image:
    """Paint one digit on a canvas of any size: ink from 0 to 255, mode "L".

    Args:
        points: (S, K, 2) in pixels of the canvas, (0, 0) at its upper left corner.
        width: (S, K) of the pen, in pixels; 0 where a stroke is absent.
        size: width and height of the canvas in pixels.
    """
    finer = max(1, min(4, 4000 // max(size)))
    canvas = Image.new("L", (size[0] * finer, size[1] * finer))
    pencil = ImageDraw.Draw(canvas)
    for stroke, widths in zip((points * finer).tolist(), (width * finer).tolist(), strict=True):
        for (x, y), breadth in zip(stroke, widths, strict=True):
            if breadth:
                pencil.circle((x, y), breadth / 2, fill=255)
        for start, end, breadth in zip(stroke, stroke[1:], widths, strict=False):
            if breadth:
                pencil.line((*start, *end), fill=255, width=max(1, round(breadth)))
    return canvas.resize(size, Image.Resampling.BOX) if finer > 1 else canvas
