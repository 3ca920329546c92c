"""The forms in which people all over the world write the digits.

A form is a drawing of pen strokes in the order in which a hand makes them. Points are hundredths of the
digit's height, x to the right and y down; a stroke runs smoothly through its points, except where a `!` marks
a corner, and `;` lifts the pen.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Stroke(NamedTuple):
    """Points (n, 2) in digit heights that the pen passes, n >= 3, and whether it turns sharply there, (n,) bool."""

    points: Tensor
    corners: Tensor


@dataclass(frozen=True, eq=False)
class Style:
    """One way to write a digit, or another sign.

    `share`: how often, beside the digit's other ways. `freedom`: how far a hand may leave it, beside others.
    """

    label: int
    strokes: tuple[Stroke, ...]
    share: float = 1.0
    freedom: float = 1.0


def drawn(label: int, drawing: str, share: float = 1.0, freedom: float = 1.0) -> Style:
    """The style of a drawing in this file's notation."""
    return Style(label, tuple(_stroke(part) for part in drawing.split(";")), share, freedom)


def _stroke(drawing: str) -> Stroke:
    words = drawing.split()
    points = torch.tensor([[float(number) for number in word.rstrip("!").split(",")] for word in words]) / 100
    corners = torch.tensor([word.endswith("!") for word in words])
    corners[[0, -1]] = True
    return _with_middles(Stroke(points, corners))


def _with_middles(stroke: Stroke) -> Stroke:
    """Put a point into each straight line between two corners, so that a hand can bend it."""
    points, corners = [stroke.points[0]], [True]
    for i in range(1, len(stroke.points)):
        if stroke.corners[i - 1] and stroke.corners[i]:
            points.append((stroke.points[i - 1] + stroke.points[i]) / 2)
            corners.append(False)
        points.append(stroke.points[i])
        corners.append(bool(stroke.corners[i]))
    return Stroke(torch.stack(points), torch.tensor(corners))


_DRAWINGS = {
    "0-plain": "33,0 12,13 2,48 12,87 31,100 50,87 60,50 50,14 30,1",
    "0-round": "42,1 12,14 0,50 12,87 42,100 74,87 84,50 74,14 40,0",
    "0-narrow": "23,0 7,20 1,50 6,82 22,100 38,82 44,50 38,18 22,1",
    "0-open": "22,5 8,24 2,54 11,88 32,100 54,86 61,50 55,18 41,-3",
    "0-slashed_back": "33,0 12,13 2,48 12,87 31,100 50,87 60,50 50,14 30,1; 10,12 56,88",
    "0-tailed": "34,4 12,14 2,50 12,88 32,100 52,86 59,48 48,12 28,5 26,16 42,18 64,6",
    "0-inner_tail": "42,1 14,12 2,50 12,88 32,100 52,86 59,48 50,14 34,5 25,22",
    "0-slashed": "33,0 12,13 2,48 12,87 31,100 50,87 60,50 50,14 30,1; 53,14 9,87",
    "0-slashed_through": "34,0 12,13 2,48 12,87 33,100 54,87 64,50 54,14 31,1; 76,-4 -8,104",
    "0-angular": "30,0! 5,26! 4,76! 29,100! 55,76! 56,25! 29,1",
    "0-square": "5,1! 4,100! 56,100! 56,1! 3,0",
    "1-bare": "10,0 10,100",
    "1-slanted": "24,0 0,100",
    "1-flagged": "0,30 18,0! 18,100",
    "1-curved_flag": "0,28 12,18 20,0! 19,50 19,100",
    "1-long_flag": "0,46 28,0! 28,100",
    "1-footed": "0,26 20,0! 20,100; 0,100 42,100",
    "1-long_flag_footed": "0,42 26,0! 26,100; 4,100 50,100",
    "2-flat_foot": "4,22 18,3 42,3 54,22 44,48 20,78 2,98! 64,97",
    "2-curved_foot": "6,26 20,3 44,5 52,26 36,60 4,95! 20,88 44,98 66,88",
    "2-looped": "4,24 18,3 42,2 53,20 44,48 26,80 9,97 -2,92 4,80 20,83 42,97 66,92",
    "2-large_loop": "6,20 24,0 48,8 50,34 34,70 10,98 -6,88 4,72 26,82 48,100 70,90",
    "2-small_head": "12,22 24,1 40,5 42,28 26,60 2,96! 36,92 78,99",
    "2-long_foot": "6,28 22,1 46,4 50,30 34,62 4,97! 46,90 100,93",
    "2-cursive": "2,28 22,2 50,6 52,34 36,72 14,97 0,90 5,74 24,74 48,92 92,82",
    "2-curled_head": "16,26 4,16 20,1 47,6 51,30 34,66 10,97 -1,88 6,76 28,84 46,97 70,90",
    "2-z_like": "3,4 60,2! 3,98! 66,98",
    "2-square": "2,0 52,0! 52,50! 3,50! 3,100! 56,100",
    "3-round": "4,16 24,1 47,10 45,34 22,47! 48,54 57,76 40,97 18,100 0,86",
    "3-soft_waist": "5,13 28,0 49,14 42,38 24,47 24,50 44,55 57,76 38,98 2,92",
    "3-looped_waist": "5,13 28,0 48,14 40,38 20,50 14,46 24,43 48,54 56,78 36,99 0,90",
    "3-curled": "12,22 4,10 26,0 50,12 42,38 24,47! 50,54 58,78 36,99 9,93 5,80",
    "3-flat_topped": "3,3 51,2! 23,40! 48,50 56,74 38,97 14,99 0,86",
    "3-small_upper": "14,12 29,1 43,10 39,28 22,36! 52,47 63,74 40,99 0,88",
    "3-large_upper": "4,16 28,0 52,12 48,38 24,50! 48,60 54,80 36,98 14,99 2,90",
    "3-tail": "5,12 30,0 48,13 40,32 22,44! 46,54 46,78 4,100",
    "3-angular": "4,3 50,2! 22,44! 52,70! 4,100",
    "3-square": "2,0 52,0! 53,100! 0,100; 12,49 52,49",
    "4-open": "15,0 2,60! 64,59; 45,26 43,100",
    "4-open_upright": "7,3 6,55! 64,54; 48,0 47,100",
    "4-open_round": "9,4 3,42 10,55 50,52 64,50; 50,8 44,100",
    "4-closed": "66,66 0,66! 43,0! 43,100",
    "4-closed_two_strokes": "40,0 1,64! 64,63; 40,2 39,100",
    "4-long_crossbar": "42,0 2,58! 84,57; 48,2 46,100",
    "4-curved_stem": "16,2 3,50! 66,46; 54,14 52,58 34,100",
    "4-short_stem": "32,0 2,58! 64,56; 46,36 42,100",
    "4-hasty": "30,0 2,54 30,60 62,48; 48,28 38,100",
    "4-square": "5,0 4,52! 56,52; 54,0 54,100",
    "5-barred": "13,3 8,45! 28,37 52,48 56,76 35,99 2,92; 12,3 60,0",
    "5-loose_bar": "13,12 8,46! 30,38 53,50 55,78 33,100 1,93; 18,0 64,-3",
    "5-one_stroke": "58,0 13,1! 9,45! 32,38 56,54 53,86 26,100 0,92",
    "5-curled": "58,0 17,2! 12,44! 36,35 60,54 53,88 26,100 5,86 8,74",
    "5-long_bar": "26,10 12,50! 36,42 54,62 40,94 2,96; 25,9 92,0",
    "5-s_like": "58,2 28,1 11,13 14,37 40,48 55,70 43,93 20,100 0,90",
    "5-pointed": "54,0 14,1! 7,45! 38,42! 55,66! 40,97! 2,96",
    "5-square": "56,0 6,0! 6,48! 54,48! 54,100! 2,100",
    "6-straight_back": "42,0 12,52 4,80 20,100 45,95 54,75 38,57 14,65 5,82",
    "6-curled": "52,6 32,2 10,28 2,66 12,94 36,100 56,83 49,60 28,53 6,68",
    "6-nearly_closed": "54,17 44,2 22,3 5,30 2,70 17,97 43,97 56,77 44,56 20,56 4,72",
    "6-large_bowl": "36,0 10,36 0,70 17,98 48,98 62,74 46,51 20,53 1,72",
    "6-small_bowl": "38,0 12,48 5,82 19,100 40,93 40,75 24,70 7,82",
    "6-wide": "24,0 5,32 0,68 18,97 52,100 80,84 72,62 46,57 24,72 18,88",
    "6-spiral": "26,0 4,36 3,74 26,99 60,93 70,68 50,53 30,64 32,84",
    "6-angular": "42,0 5,56! 5,99! 54,99! 54,57! 4,58",
    "6-square": "54,0 5,0! 4,100! 56,100! 55,50! 4,50",
    "7-plain": "2,3 62,2! 24,100",
    "7-barred": "2,3 62,2! 24,100; 16,52 64,49",
    "7-serif": "2,18 4,2! 66,2! 28,100",
    "7-serif_barred": "2,18 4,2! 66,2! 29,100; 20,52 66,49",
    "7-curved": "0,6 30,2 64,4! 40,42 27,100",
    "7-curved_barred": "0,6 30,2 64,4! 40,42 29,100; 18,50 66,47",
    "7-wavy_topped": "2,14 13,2 36,8 64,1! 34,50 22,100",
    "7-arched": "0,24 8,8 30,1 56,8 46,44 26,100",
    "7-wide": "0,12 34,3 84,5! 56,50 42,100",
    "7-square": "0,0 60,0! 58,100",
    "8-s_loop": "50,16 30,0 9,14 17,37 44,59 54,82 30,100 4,84 14,58 42,37 51,12",
    "8-from_middle": "28,46 8,28 14,6 32,0 48,12 42,34 14,58 4,82 28,100 54,84 46,60 24,43",
    "8-circles": "29,0 9,9 8,34 29,46 50,34 49,10 27,0; 29,46 6,60 3,86 29,100 55,87 52,60 27,46",
    "8-open": "44,3 20,2 9,18 20,39 46,62 52,86 28,100 5,84 16,58 42,36 60,2",
    "8-narrow_waist": "54,14 29,0 4,14 21,41 37,58 56,86 29,100 2,86 21,58 37,41 55,12",
    "8-small_upper": "47,16 31,1 13,13 20,34 50,58 58,82 30,100 2,82 12,56 40,34 47,14",
    "8-small_lower": "52,16 30,0 6,14 12,40 36,58 44,80 28,100 11,84 18,64 46,40 54,14",
    "8-heart_topped": "38,12 22,0 6,14 16,38 42,60 52,84 28,100 5,84 16,60 46,34 60,12 52,-2 38,12",
    "8-wide": "66,16 36,0 6,18 26,42 60,60 68,86 34,100 2,84 18,60 54,40 68,16",
    "8-angular": "5,1! 53,1! 4,99! 57,99! 4,0",
    "8-square": "5,0! 55,0! 56,100! 4,100! 4,0; 4,50 56,50",
    "9-straight": "50,15 29,0 6,12 4,38 24,50 46,37 53,8! 52,100",
    "9-curved": "51,18 28,0 4,16 8,43 34,46 53,14! 54,56 40,90 8,100",
    "9-hooked": "51,16 28,0 5,12 6,38 28,47 53,14! 54,76 38,100 12,98 1,84",
    "9-slanted": "53,22 40,1 15,5 4,30 20,48 42,40 54,14! 44,60 22,100",
    "9-loop": "52,24 34,1 10,10 6,38 28,47 48,30 54,10 54,40 50,100",
    "9-small_loop": "44,14 26,3 8,18 18,37 38,30 47,6! 36,100",
    "9-open": "44,9 24,3 5,22 14,44 38,38 54,2! 50,100",
    "9-open_hooked": "46,12 26,2 6,18 14,40 38,38 54,6! 56,60 44,92 20,100 0,88",
    "9-wide": "66,20 36,0 4,18 12,46 46,46 68,14! 58,60 46,100",
    "9-angular": "54,46 5,46! 5,2! 54,2! 52,100",
    "9-square": "55,50 5,50! 5,0! 55,0! 55,100! 4,100",
}

# Forms that few people use; the others of a digit are drawn equally often.
_SHARES = {
    **dict.fromkeys([name for name in _DRAWINGS if name.endswith("-square")], 0.4),
    "0-slashed_back": 0.4,
    "0-angular": 0.5,
    "8-angular": 0.5,
    "5-pointed": 0.5,
    "7-arched": 0.5,
    "9-open": 0.5,
    "9-open_hooked": 0.5,
}

_FREEDOM = {1: 0.6, 7: 0.75}  # so plain that one soon becomes the other, or a bracket

STYLES = {
    name: drawn(int(name[0]), drawing, _SHARES.get(name, 1.0), _FREEDOM.get(int(name[0]), 1.0))
    for name, drawing in _DRAWINGS.items()
}
