"""Digits written by rule: pen strokes in the forms of `digitrec.data.synthetic.styles`, every time a little different.

A hand deviates from a form by a random displacement that is smooth along the paper and along the stroke, so
the whole way from the draws to the points of a stroke is one matrix per style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from digitrec.data.synthetic.styles import STYLES, Stroke, Style
from digitrec.errors import UsageError

NAMES = tuple(STYLES)
MOST_STROKES = max(len(style.strokes) for style in STYLES.values())


class Strokes(NamedTuple):
    """N written digits, each of up to S strokes of K points.

    Attributes:
        points: (N, S, K, 2) x to the right and y down, in digit heights, about [-0.2, 1.2].
        pressure: (N, S, K) width of the pen there, relative to the digit's own pen; 0 for an absent stroke.
        styles: (N,) int64, index in `NAMES`, or in what `write_forms` was given.
    """

    points: Tensor
    pressure: Tensor
    styles: Tensor


@dataclass(frozen=True)
class Hand:
    """How freely people write; every number but the first is a standard deviation over digits.

    Args:
        slant: mean lean to the right, in degrees.
        slant_spread: of the lean, in degrees.
        rotation: in degrees.
        aspect: of the logarithm of width to height.
        form: displacement that strokes share, in digit heights.
        stroke: displacement of each stroke by itself.
        ends: by how much a stroke ends early or late.
        tremor: amplitude of the trembling.
        pressure: of the relative width of the pen along a stroke.
    """

    slant: float = 7.0
    slant_spread: float = 13.0
    rotation: float = 4.0
    aspect: float = 0.22
    form: float = 0.05
    stroke: float = 0.022
    ends: float = 0.04
    tremor: float = 0.003
    pressure: float = 0.12


def write(
    labels: Tensor,
    generator: torch.Generator,
    *,
    styles: Sequence[str] | None = None,
    hand: Hand | None = None,
    resolution: int = 40,
) -> Strokes:
    """Write digits by hand, each in a form drawn from those of its label.

    Args:
        labels: (N,) int64 in 0..9.
        generator: on the CPU; draws the same whatever the resolution.
        styles: names in `NAMES` to choose from; None are all.
        hand: how freely; None is `Hand()`.
        resolution: points per stroke; more for larger pictures.

    Raises:
        UsageError: no such style, or none of them for one of the labels.
    """
    chosen = choose(labels, generator, NAMES if styles is None else styles)
    return write_forms(tuple(STYLES.values()), chosen, generator, hand=hand, resolution=resolution)


def write_forms(
    forms: Sequence[Style],
    chosen: Tensor,
    generator: torch.Generator,
    *,
    hand: Hand | None = None,
    resolution: int = 40,
) -> Strokes:
    """Write forms by hand: `chosen` (N,) int64 are indices in `forms`, the rest as for `write`."""
    hand = hand or Hand()
    counts = torch.tensor([len(form.strokes) for form in forms])
    points = _follow(forms, chosen, generator, hand, resolution)
    points = _tremble(_overshoot(_hurry(points, generator), generator, hand), generator, hand)
    present = (torch.arange(points.shape[1]) < counts[:, None])[chosen]
    pressure = _press(points.shape[:3], generator, hand) * present[..., None]
    return Strokes(_lean(points, generator, hand), pressure, chosen)


def choose(labels: Tensor, generator: torch.Generator, styles: Sequence[str]) -> Tensor:
    """Draw a style for each label: (N,) int64 -> (N,) indices in `NAMES`."""
    unknown = [name for name in styles if name not in STYLES]
    if unknown:
        raise UsageError(f"no style {unknown[0]!r}; there are {', '.join(NAMES)}")
    shares = torch.zeros(10, len(NAMES))
    for name in styles:
        shares[STYLES[name].label, NAMES.index(name)] = STYLES[name].share
    if (shares[labels].sum(1) == 0).any():
        raise UsageError(f"none of the styles {', '.join(styles)} is for some of the labels")
    return torch.multinomial(shares[labels], 1, generator=generator)[:, 0]


def _follow(forms: Sequence[Style], chosen: Tensor, generator: torch.Generator, hand: Hand, resolution: int) -> Tensor:
    """Write each digit's form with its own smooth deviation: (N,) -> points (N, S, K, 2)."""
    count, most_strokes = len(chosen), max(len(form.strokes) for form in forms)
    most_points = max(sum(len(stroke.points) for stroke in form.strokes) for form in forms)
    freedom = torch.exp(0.4 * _normal((count, 1, 1), generator))
    common = _normal((count, most_points, 2), generator) * hand.form * freedom
    own = _normal((count, most_points, 2), generator) * hand.stroke * freedom
    points = torch.zeros(count, most_strokes * resolution, 2)
    for index in chosen.unique().tolist():
        layout = _layout(forms[index], resolution)
        rows, n = chosen == index, layout.common.shape[1]
        written = layout.mean + layout.common @ common[rows, :n] + layout.own @ own[rows, :n]
        points[rows, : written.shape[1]] = written
    return points.view(count, most_strokes, resolution, 2)


class _Layout(NamedTuple):
    """Points (P, 2) of a style's strokes, and how they move with unit draws (n, 2): (P, n) each."""

    mean: Tensor
    common: Tensor
    own: Tensor


@lru_cache(maxsize=1000)
def _layout(style: Style, resolution: int) -> _Layout:
    """Lay out a style: displacements have a covariance that falls with the distance of two points of the form."""
    points = torch.cat([stroke.points for stroke in style.strokes]).double()
    path = torch.block_diag(*[_path(stroke, resolution) for stroke in style.strokes])
    return _Layout(
        (path @ points).float(),
        (style.freedom * path @ _root(_covariance(points, reach=0.4))).float(),
        (style.freedom * path @ _root(_covariance(points, reach=0.2) * _same_stroke(style))).float(),
    )


def _covariance(points: Tensor, reach: float) -> Tensor:
    return torch.exp(-0.5 * (torch.cdist(points, points) / reach).square())


def _same_stroke(style: Style) -> Tensor:
    stroke = torch.cat([torch.full((len(stroke.points),), s) for s, stroke in enumerate(style.strokes)])
    return stroke[:, None] == stroke


def _root(covariance: Tensor) -> Tensor:
    root: Tensor = torch.linalg.cholesky(covariance + 1e-6 * torch.eye(len(covariance), dtype=torch.float64))
    return root


def _path(stroke: Stroke, resolution: int) -> Tensor:
    """Matrix (K, n) from a stroke's n points to K points along it, at equal distances."""
    steps = stroke.points.double().diff(dim=0).norm(dim=1)
    knots = torch.cat([torch.zeros(1), steps.cumsum(0)])
    places = torch.linspace(0, float(knots[-1]), resolution, dtype=torch.float64)
    corners = stroke.corners.nonzero().flatten().tolist()
    for corner in corners:
        places[(places - knots[corner]).abs().argmin()] = knots[corner]
    matrix = torch.zeros(resolution, len(knots), dtype=torch.float64)
    for first, last in pairwise(corners):
        rows = (places >= knots[first]) & (places <= knots[last])
        matrix[rows, first : last + 1] = _spline(knots[first : last + 1], places[rows])
        matrix[rows, :first] = matrix[rows, last + 1 :] = 0
    return matrix


def _spline(knots: Tensor, places: Tensor) -> Tensor:
    """Matrix (m, n) from values at n >= 3 knots to a smooth curve's at m places (cubic Hermite)."""
    slopes = _slopes(knots)
    left = (torch.searchsorted(knots, places, right=True) - 1).clamp(0, len(knots) - 2)
    step = knots[left + 1] - knots[left]
    u = ((places - knots[left]) / step)[:, None]
    one = torch.eye(len(knots), dtype=torch.float64)
    values = (1 + 2 * u) * (1 - u) ** 2 * one[left] + u**2 * (3 - 2 * u) * one[left + 1]
    return values + step[:, None] * (u * (1 - u) ** 2 * slopes[left] - u**2 * (1 - u) * slopes[left + 1])


def _slopes(knots: Tensor) -> Tensor:
    """Matrix (n, n) from values at knots to slopes of the parabola through each knot and its neighbours."""
    step = knots.diff()
    secant = torch.eye(len(knots), dtype=torch.float64).diff(dim=0) / step[:, None]
    before, after = step[:-1, None], step[1:, None]
    inner = (after * secant[:-1] + before * secant[1:]) / (before + after)
    return torch.cat([2 * secant[:1] - inner[:1], inner, 2 * secant[-1:] - inner[-1:]])


def _hurry(points: Tensor, generator: torch.Generator) -> Tensor:
    """Round off corners, as a fast pen does; (N, S, K, 2) each way."""
    place = torch.linspace(0, 1, points.shape[2])
    near = torch.exp(-0.5 * ((place[:, None] - place) / 0.04).square())
    ends = torch.exp(-(torch.minimum(place, 1 - place) / 0.04))[:, None]
    smooth = (near / near.sum(1, keepdim=True)) @ points
    speed = torch.rand(len(points), 1, 1, 1, generator=generator)
    return torch.lerp(points, smooth, speed * (1 - ends))


def _overshoot(points: Tensor, generator: torch.Generator, hand: Hand) -> Tensor:
    """Let strokes begin and end early or late along their own direction."""
    fade = torch.exp(-torch.linspace(0, 1, points.shape[2]) / 0.08)[:, None]
    span = max(1, points.shape[2] // 12)
    for end, inner, weight in ((0, span, fade), (-1, -1 - span, fade.flip(0))):
        way = points[:, :, end] - points[:, :, inner]
        way = way / way.norm(dim=-1, keepdim=True).clamp(min=1e-3)
        length = hand.ends * _normal((*points.shape[:2], 1), generator)
        points = points + (length * way)[:, :, None] * weight
    return points


def _tremble(points: Tensor, generator: torch.Generator, hand: Hand) -> Tensor:
    """Add two waves per axis and stroke, some 2 to 9 to a stroke; few hands tremble much."""
    count, strokes, resolution, _ = points.shape
    amplitude = hand.tremor * torch.exp(0.6 * _normal((count, 1, 1, 1), generator))
    waves = 2 + 7 * torch.rand(2, count, strokes, 1, 2, generator=generator)
    phase = 2 * torch.pi * torch.rand(2, count, strokes, 1, 2, generator=generator)
    place = 2 * torch.pi * torch.linspace(0, 1, resolution)[:, None]
    return points + (amplitude * torch.sin(waves * place + phase)).sum(0)


def _press(shape: torch.Size, generator: torch.Generator, hand: Hand) -> Tensor:
    """Relative width of the pen (N, S, K), within [0.4, 1.6]: slow waves, and lighter ends in some hands."""
    count, strokes, resolution = shape
    place = torch.linspace(0, 1, resolution)
    waves = 0.5 + 2.5 * torch.rand(count, strokes, 1, generator=generator)
    phase = 2 * torch.pi * torch.rand(count, strokes, 1, generator=generator)
    depth = hand.pressure * _normal((count, 1, 1), generator)
    light = 0.5 * torch.rand(2, count, 1, 1, generator=generator).square()
    ends = light[0] * torch.exp(-place / 0.06) + light[1] * torch.exp(-(1 - place) / 0.06)
    return (1 + depth * torch.sin(2 * torch.pi * waves * place + phase) - ends).clamp(0.4, 1.6)


def _lean(points: Tensor, generator: torch.Generator, hand: Hand) -> Tensor:
    """Stretch, slant and turn each digit, in this order; stretching makes none wider than high."""
    widen, lean, turn = _normal((3, len(points), 1, 1), generator)
    x, y = points.unbind(-1)
    width = x.amax((1, 2), keepdim=True) - x.amin((1, 2), keepdim=True)
    x = x * torch.exp(hand.aspect * widen).clamp(max=1 / width.clamp(max=1))
    x = x - (y - 0.5) * torch.deg2rad(hand.slant + hand.slant_spread * lean).tan()
    angle = torch.deg2rad(hand.rotation * turn)
    return torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1)


def _normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw from a normal distribution whose rare far values are cut at two standard deviations."""
    return torch.randn(*shape, generator=generator).clamp(-2, 2)
