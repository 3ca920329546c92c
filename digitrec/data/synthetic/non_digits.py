"""Synthetic training images without a digit, for a network to learn rejection.

The kinds differ as much as possible. Whether a network has learnt more than these kinds is measured on others
(tests/handwriting/strange.py).
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from digitrec.data.datasets import Split
from digitrec.data.framing import frame
from digitrec.data.labels import NO_DIGIT
from digitrec.data.synthetic.ink import draw, pens
from digitrec.data.synthetic.signs import CURSIVE, SIGNS
from digitrec.data.synthetic.strokes import Strokes, write, write_forms
from digitrec.data.synthetic.styles import Style
from digitrec.data.synthetic.wear import clouds, worn
from digitrec.preprocessing.framing import SIDE

Maker = Callable[[int, torch.Generator], Tensor]
RESOLUTION = 40  # points of a stroke


def non_digits(count: int, seed: int) -> Split:
    """Images without a digit, each kind with its share, labelled `NO_DIGIT`.

    Args:
        count: of images; 10,000 take some ten seconds.
        seed: they are a pure function of it and `count`.

    Returns:
        images uint8 (count, 1, 28, 28), white on black in MNIST's framing, and labels int64 (count,).
    """
    generator = torch.Generator().manual_seed(seed)
    shares = torch.tensor([share for _, share in KINDS.values()])
    ends = (shares.cumsum(0) / shares.sum() * count).round().long().diff(prepend=torch.tensor([0]))
    numbers = zip(KINDS.values(), ends.tolist(), strict=True)
    images = [make(number, generator) for (make, _), number in numbers if number]
    return Split(torch.cat(images), torch.full((count,), NO_DIGIT))


def signs(count: int, generator: torch.Generator) -> Tensor:
    """Letters, arrows, stars and the like."""
    return _forms(SIGNS, count, generator)


def cursive(count: int, generator: torch.Generator) -> Tensor:
    """Pieces of words: two or three joined letters."""
    return _forms(CURSIVE, count, generator)


def outlines(count: int, generator: torch.Generator) -> Tensor:
    """Simple drawings: a large outline, wavy or with corners, and in or on it two to five small ones or strokes."""
    angle = 2 * math.pi * torch.linspace(0, 1, RESOLUTION)
    corners = torch.randint(3, 5, (count, 6, 1), generator=generator)
    turn, depth, waves = torch.rand(3, count, 6, 1, generator=generator)
    within = torch.remainder(angle + 2 * math.pi * turn, 2 * math.pi / corners) - math.pi / corners
    angular = (math.pi / corners).cos() / within.cos()
    wavy = 1 + (0.12 + 0.25 * depth) * torch.sin((3 + 4 * waves).round() * angle + 2 * math.pi * turn)
    radius = torch.where(torch.rand(count, 6, 1, generator=generator) < 0.4, angular, wavy)
    round_ = radius[..., None] * torch.stack([angle.cos(), angle.sin()], -1)
    reach = 0.12 + 0.25 * torch.rand(count, 6, 1, 2, generator=generator)
    place = 0.9 * (2 * torch.rand(count, 6, 1, 2, generator=generator) - 1)
    reach[:, 0], place[:, 0] = 0.7 + 0.3 * torch.rand(count, 1, 2, generator=generator), 0
    ends = torch.randn(count, 6, 1, 2, generator=generator) * torch.linspace(-1, 1, RESOLUTION)[:, None]
    open_ = torch.rand(count, 6, 1, 1, generator=generator) < 0.4
    open_[:, 0] = False
    number = torch.randint(3, 7, (count,), generator=generator)
    return _inked(_strokes(place + reach * torch.where(open_, ends, round_), generator, number), generator)


def scribbles(count: int, generator: torch.Generator) -> Tensor:
    """One line that turns and turns."""
    return _inked(_strokes(scribble_lines(count, generator)[:, None], generator), generator)


def clutter(count: int, generator: torch.Generator) -> Tensor:
    """Five to eight short strokes, each somewhere."""
    middle = torch.rand(count, 8, 1, 2, generator=generator)
    size = 0.15 + 0.35 * torch.rand(count, 8, 1, 1, generator=generator)
    bends = torch.randn(count, 8, 3, 2, generator=generator)
    place = torch.linspace(-1, 1, RESOLUTION)[:, None]
    path = bends[:, :, :1] * place + 0.3 * bends[:, :, 1:2] * place.square() + 0.15 * bends[:, :, 2:] * place**3
    number = torch.randint(5, 9, (count,), generator=generator)
    return _inked(_strokes(middle + size * path, generator, number), generator)


def hatching(count: int, generator: torch.Generator) -> Tensor:
    """Four to eight strokes side by side, in one direction or to and fro in one line."""
    number = torch.randint(4, 9, (count,), generator=generator)
    across = torch.linspace(0, 1, 8).view(1, 8, 1).expand(count, 8, RESOLUTION)
    along = torch.linspace(0, 1, RESOLUTION).expand(count, 8, RESOLUTION)
    joined = torch.rand(count, 1, 1, generator=generator) < 0.4
    back = joined & (torch.arange(8).view(1, 8, 1) % 2 == 1)
    along = torch.where(back, 1 - along, along)
    across = across + joined * torch.linspace(0, 1 / 7, RESOLUTION)  # each stroke ends where the next begins
    loose = 0.04 * torch.randn(count, 8, 1, 2, generator=generator)
    wide = 0.7 + 1.3 * torch.rand(count, 1, 1, generator=generator)
    points = torch.stack([across * wide * 7 / number.view(-1, 1, 1), along], dim=-1) + loose * ~joined[..., None]
    return _inked(_strokes(_turned(points, generator), generator, number), generator)


def pairs(count: int, generator: torch.Generator) -> Tensor:
    """Two digits side by side."""
    first, second = (write(torch.randint(10, (count,), generator=generator), generator) for _ in range(2))
    gap = 0.02 + 0.25 * torch.rand(count, generator=generator)
    beside = _edge(first, 1) - _edge(second, -1) + gap
    shifted = second.points + torch.stack([beside, torch.zeros(count)], dim=-1)[:, None, None]
    both = Strokes(torch.cat([first.points, shifted], 1), torch.cat([first.pressure, second.pressure], 1), first.styles)
    return _inked(both, generator)


def shapes(count: int, generator: torch.Generator) -> Tensor:
    """Solid shapes, plain or patterned: discs, boxes, blots, bottles."""
    x, y = _plane(count, generator)
    angle, radius = torch.atan2(y, x), torch.hypot(x, y)
    outline = torch.ones_like(radius)
    for waves in range(2, 7):
        depth, phase = torch.rand(2, count, 1, 1, generator=generator)
        outline = outline + 0.5 / waves * depth * torch.cos(waves * angle + 2 * math.pi * phase)
    corners = 2 + 10 * torch.rand(count, 1, 1, generator=generator).square()
    boxy = (x.abs() ** corners + y.abs() ** corners) ** (1 / corners)
    straight = torch.rand(count, 1, 1, generator=generator) < 0.5
    inside = torch.where(straight, 1 - boxy, outline - radius)
    pattern = _levels(clouds(count, generator), 0.35 + 0.65 * torch.rand(count, 1, 1, generator=generator))
    patterned = torch.rand(count, 1, 1, generator=generator) < 0.6
    solid = (8 * inside + 0.5).clamp(0, 1)
    return _framed(torch.where(patterned, solid * pattern, solid))


def noise(count: int, generator: torch.Generator) -> Tensor:
    """Grain and clouds from fine to coarse, soft or black and white, over the whole image."""
    fields = clouds(count, generator)
    hard = torch.rand(count, 1, 1, generator=generator)
    level = 0.25 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    images = ((fields - level) * (1 + 20 * hard.square()) + 0.5).clamp(0, 1)
    return (255 * images).to(torch.uint8)[:, None]


def blotches(count: int, generator: torch.Generator) -> Tensor:
    """Ragged dark patches, as the search for ink leaves of a photo."""
    x, y = _plane(count, generator)
    patch = 1.2 - torch.hypot(x, y) + 1.6 * (clouds(count, generator, coarsest=4, finest=14) - 0.5)
    level = 0.2 + 0.6 * torch.rand(count, 1, 1, generator=generator)
    return _framed(((patch - level) * 12 * (0.3 + torch.rand(count, 1, 1, generator=generator))).clamp(0, 1))


# Each with its share.
KINDS: dict[str, tuple[Maker, float]] = {
    "signs": (signs, 11),
    "cursive": (cursive, 2),
    "outlines": (outlines, 4),
    "scribbles": (scribbles, 3),
    "clutter": (clutter, 2),
    "hatching": (hatching, 2),
    "pairs": (pairs, 2),
    "shapes": (shapes, 3),
    "noise": (noise, 2),
    "blotches": (blotches, 2),
}


def _forms(forms: Mapping[str, Style], count: int, generator: torch.Generator) -> Tensor:
    shares = torch.tensor([style.share for style in forms.values()])
    chosen = torch.multinomial(shares, count, replacement=True, generator=generator)
    return _inked(write_forms(tuple(forms.values()), chosen, generator), generator)


def _inked(strokes: Strokes, generator: torch.Generator) -> Tensor:
    return worn(draw(strokes, pens(strokes, generator)), generator)


def _strokes(points: Tensor, generator: torch.Generator, number: Tensor | None = None) -> Strokes:
    """Strokes of points (N, S, K, 2), of which each drawing has so many, (N,), all if None; evenly pressed."""
    count, most = points.shape[:2]
    present = torch.ones(count, most, dtype=torch.bool) if number is None else torch.arange(most) < number[:, None]
    pressure = 0.8 + 0.4 * torch.rand(points.shape[:2], generator=generator)
    even = (pressure * present)[..., None].expand(points.shape[:3])
    return Strokes(points, even, torch.zeros(count, dtype=torch.int64))


def scribble_lines(count: int, generator: torch.Generator) -> Tensor:
    """Lines (N, 90, 2) that turn by five times round in all, twice as far as any digit."""
    lines = _wander(4 * count, 90, generator)
    return lines[turning(lines).argsort()[-count:]]


def _wander(count: int, resolution: int, generator: torch.Generator) -> Tensor:
    """Smooth closed or open lines (N, K, 2): waves of random height, the quicker the lower."""
    waves = torch.arange(1, 8).view(7, 1, 1, 1)
    height, phase = torch.randn(2, 7, count, 1, 2, generator=generator)
    part = 0.6 + 0.6 * torch.rand(count, 1, 1, generator=generator)  # of a full round
    place = 2 * math.pi * torch.linspace(0, 1, resolution)[:, None] * part
    lines: Tensor = (height / waves**0.8 * torch.sin(waves * place + 6 * phase)).sum(0)
    span = lines.amax((1, 2), keepdim=True) - lines.amin((1, 2), keepdim=True)
    return lines / span


def turning(lines: Tensor) -> Tensor:
    """By how many radians lines (N, K, 2) turn, left and right alike: (N,)."""
    steps = lines.diff(dim=1)
    heading = torch.atan2(steps[..., 1], steps[..., 0]).diff(dim=1)
    turned: Tensor = torch.remainder(heading + math.pi, 2 * math.pi).sub(math.pi).abs().sum(1)
    return turned


def _turned(points: Tensor, generator: torch.Generator) -> Tensor:
    """Points (N, S, K, 2) turned by any angle."""
    angle = 2 * math.pi * torch.rand(len(points), 1, 1, generator=generator)
    x, y = points.unbind(-1)
    return torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1)


def _edge(strokes: Strokes, side: int) -> Tensor:
    """Right (1) or left (-1) end of each digit, (N,)."""
    x = strokes.points[..., 0].masked_fill(strokes.pressure == 0, -side * math.inf)
    return x.amax((1, 2)) if side > 0 else x.amin((1, 2))


def _plane(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Coordinates x and y (N, 28, 28) of a shape's own axes, turned, its sides up to 1 : 2; it ends about at 1."""
    line = torch.linspace(-1.3, 1.3, SIDE)
    angle = 2 * math.pi * torch.rand(count, 1, 1, generator=generator)
    upright = torch.rand(count, 1, 1, generator=generator) < 0.5
    angle = torch.where(upright, 0.0, angle)
    x = line * angle.cos() + line[:, None] * angle.sin()
    y = line[:, None] * angle.cos() - line * angle.sin()
    narrow = 1 + torch.rand(count, 1, 1, generator=generator)
    flat = torch.rand(count, 1, 1, generator=generator) < 0.5
    return torch.where(flat, x, x * narrow), torch.where(flat, y * narrow, y)


def _levels(field: Tensor, floor: Tensor) -> Tensor:
    """A field's contrast between `floor` and full ink."""
    return floor + (1 - floor) * field


def _framed(ink: Tensor) -> Tensor:
    """Ink (N, 28, 28) in [0, 1] as MNIST would frame it: uint8 (N, 1, 28, 28)."""
    return torch.stack([frame(image) for image in (255 * ink).to(torch.uint8)])[:, None]
