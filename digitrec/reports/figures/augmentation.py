"""What augmentations do to digits, side by side."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from digitrec.reports.figures.style import LIGHT

WIDTH, LABEL_WIDTH = 9.0, 1.32  # inches, of a figure and of its row labels; a README page shows about 9
GAP = 4  # white between two digits, in pixels of a digit


def augmentation_grid(images: Tensor, rows: Mapping[str, Tensor], first: str = "original") -> Figure:
    """Draw digits, labelled `first`, and below them one labelled row for each augmentation.

    `images` and the values of `rows` are (N, 1, H, W) in [0, 1]; a column shows one digit.
    """
    strips = {first: images, **rows}
    mosaic = F.pad(torch.cat([_strip(strip) for strip in strips.values()]), (0, 0, 0, GAP), value=1.0)
    height = (WIDTH - LABEL_WIDTH) * len(mosaic) / mosaic.shape[1]
    figure = Figure(figsize=(WIDTH, height), dpi=200, facecolor="white")
    left = LABEL_WIDTH / WIDTH
    axes = figure.add_axes((left, 0, 1 - left, 1))
    axes.imshow(mosaic.numpy(), cmap="gray", vmin=0, vmax=1, aspect="auto")
    size = images.shape[-2]
    middles = [row * (GAP + size) + GAP + (size - 1) / 2 for row in range(len(strips))]
    axes.set_yticks(middles, list(strips), fontsize=11, color=LIGHT.muted)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=8)
    axes.spines[:].set_visible(False)
    return figure


def _strip(images: Tensor) -> Tensor:
    """Lay images (N, 1, H, W) side by side, white above and behind each: (GAP + H, N * (W + GAP))."""
    framed = F.pad(images[:, 0].detach().float().cpu(), (0, GAP, GAP, 0), value=1.0)
    return framed.permute(1, 0, 2).flatten(1)
