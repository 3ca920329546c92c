"""Wear: what pens, paper, scanners and small screens do to ink, on images framed like MNIST's."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from digitrec.data.framing import frame
from digitrec.preprocessing.framing import INK_SIDE, SIDE

Wear = Callable[[Tensor, torch.Generator], Tensor]
FAINTEST = 0.04  # of full ink; what resampling leaves beside strokes is below


def worn(images: Tensor, generator: torch.Generator, share: float = 0.5) -> Tensor:
    """Wear some of the images, a few of them twice, and frame them again: uint8 (N, 1, 28, 28) each way.

    Args:
        images: white ink on black.
        generator: on the CPU.
        share: of the images that are worn once, and of these the share that is worn again.
    """
    images, chosen = images.clone(), torch.ones(len(images), dtype=torch.bool)
    for _ in range(2):
        chosen &= torch.rand(len(images), generator=generator) < share
        rows = chosen.nonzero().flatten()
        kinds = torch.randint(len(KINDS), (len(rows),), generator=generator)
        for number, wear in enumerate(KINDS):
            some = rows[kinds == number]
            if len(some):
                images[some] = _framed(wear(images[some] / 255, generator), images[some])
    return images


def coarse(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Digits of 7 to 14 pixels, enlarged: in steps, or smoothly."""
    sides = torch.randint(7, 15, (len(ink),), generator=generator)
    smooth = _chance(0.7, ink, generator)
    found = torch.empty_like(ink)
    for side in sides.unique().tolist():
        rows = sides == side
        small = F.interpolate(ink[rows], size=round(side * SIDE / INK_SIDE), mode="area")
        large = F.interpolate(small, size=SIDE, mode="bicubic", align_corners=False)
        found[rows] = torch.where(smooth[rows], large, F.interpolate(small, size=SIDE))
    return found


def stepped(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Without grey, as simple paint programs draw."""
    level = 0.15 + 0.4 * _uniform(ink, generator)
    return (ink > level * ink.amax((1, 2, 3), keepdim=True)).float()


def faded(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Uneven ink, faint in places or all over."""
    level = 0.2 + 0.8 * _uniform(ink, generator)
    return ink * (level + (1 - level) * 2 * (clouds(len(ink), generator, 3, 9)[:, None] - 0.5)).clamp(0.12, 1)


def broken(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Gaps in the strokes."""
    gap = 0.08 + 0.16 * _uniform(ink, generator)
    return ink * (12 * (clouds(len(ink), generator, 6, 12)[:, None] - gap)).clamp(0, 1)


def ruled(ink: Tensor, generator: torch.Generator) -> Tensor:
    """A piece of a printed line, grey, below the digit or through it; a few stand upright, as a scrap's edge."""
    count = len(ink)
    start, end = 14 - 13 * _uniform(ink, generator), 14 + 13 * _uniform(ink, generator)
    place, tilt = 12 + 15 * _uniform(ink, generator), 0.1 * torch.randn(count, 1, 1, 1, generator=generator)
    half, level = 0.4 + 1.1 * _uniform(ink, generator), 0.15 + 0.5 * _uniform(ink, generator)
    line = torch.arange(SIDE) + 0.5
    off = (line[:, None] - place - tilt * (line - SIDE / 2)).abs()
    rule = level * (half + 0.5 - off).clamp(0, 1) * ((line > start) & (line < end))
    return torch.maximum(ink, torch.where(_chance(0.15, ink, generator), rule.mT, rule))


def dirty(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Specks of one to nine pixels about it."""
    specks = (torch.rand(ink.shape, generator=generator) < 0.004) * (0.2 + 0.8 * _uniform(ink, generator))
    large = F.max_pool2d(specks, 3, 1, 1)
    return torch.maximum(ink, torch.where(_chance(0.3, ink, generator), large, specks))


KINDS: tuple[Wear, ...] = (coarse, stepped, faded, broken, ruled, ruled, dirty)


def _framed(ink: Tensor, before: Tensor) -> Tensor:
    """Ink (N, 1, 28, 28) in [0, 1] in MNIST's framing, uint8; what has lost all its ink stays what it was."""
    kept = (255 * ink.where(ink > FAINTEST, 0).clamp(0, 1)).to(torch.uint8)
    lost = kept.amax((1, 2, 3), keepdim=True) == 0
    return torch.stack([frame(image) for image in kept.where(~lost, before)[:, 0]])[:, None]


def _uniform(ink: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(len(ink), 1, 1, 1, generator=generator)


def _chance(share: float, ink: Tensor, generator: torch.Generator) -> Tensor:
    return _uniform(ink, generator) < share


def clouds(count: int, generator: torch.Generator, coarsest: int = 3, finest: int = SIDE) -> Tensor:
    """Random surfaces (N, 28, 28) in [0, 1], of cells from coarse to fine."""
    cells = torch.randint(coarsest, finest + 1, (count,), generator=generator)
    fields = torch.empty(count, SIDE, SIDE)
    for size in cells.unique().tolist():
        rows = cells == size
        grain = torch.rand(int(rows.sum()), 1, size, size, generator=generator)
        fields[rows] = F.interpolate(grain, (SIDE, SIDE), mode="bicubic", align_corners=False)[:, 0].clamp(0, 1)
    return fields
