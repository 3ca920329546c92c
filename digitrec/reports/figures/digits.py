"""Sheets of digits: inputs, right and wrong predictions, filters, attributions."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from digitrec.evaluation.predictions import Predictions, evenly
from digitrec.reports.figures.style import RIGHT_MARK, SMALL, WRONG_MARK, Sheet, Theme, drawable, grey, percent

SHOWN, MISTAKES_SHOWN, WORST_SHOWN, FILTERS_SHOWN, WRITERS_SHOWN = 40, 8, 15, 64, 8


def samples(images: Tensor, predictions: Predictions, normalised: Tensor, theme: Theme) -> Figure:
    """The first images, above as stored and below as the network sees them, stretched to the same greys.

    Args:
        images: (N, 1, H, W) uint8.
        predictions: of these images.
        normalised: (K, 1, H, W) float, the first K of them.
        theme: of the page.
    """
    count = len(normalised)
    sheet = Sheet(theme, 2 * count, count, lines=1, gap=0.08, left=1.15)
    for index, (stored, seen) in enumerate(zip(grey(images[:count]), grey(normalised[:count]), strict=True)):
        sheet.image(index, stored)
        sheet.image(index + count, seen)
        name = drawable(predictions.class_names[int(predictions.labels[index])], longest=7)
        sheet.lines(index, [name], [theme.ink])
    sheet.row_name(0, f"stored bytes\n{_range(images[:count])}")
    sheet.row_name(1, f"as normalised\n{_range(normalised[:count])}")
    return sheet.figure


def examples(images: Tensor, predictions: Predictions, theme: Theme) -> Figure:
    """Images spread over the split with up to eight mistakes among them, framed by right and wrong.

    `images` are (N, 1, H, W) uint8, `predictions` theirs.
    """
    right, wrong = predictions.correct.nonzero()[:, 0], (~predictions.correct).nonzero()[:, 0]
    mistakes = wrong[evenly(len(wrong), max(MISTAKES_SHOWN, SHOWN - len(right)))]
    others = right[evenly(len(right), SHOWN - len(mistakes))]
    chosen = torch.cat([mistakes, others]).sort().values
    sheet = Sheet(theme, len(chosen), 8, lines=2)
    names, confidence = predictions.class_names, predictions.probabilities.amax(dim=1)
    for place, (index, pixels) in enumerate(zip(chosen.tolist(), grey(images[chosen]), strict=True)):
        name = drawable(names[int(predictions.predicted[index])], longest=7)
        if predictions.correct[index]:
            colour, texts = theme.right, [f"{RIGHT_MARK} {name}", percent(float(confidence[index]))]
        else:
            label = drawable(names[int(predictions.labels[index])], longest=7)
            colour, texts = theme.wrong, [f"{WRONG_MARK} {name}", f"is {label}"]
        sheet.image(place, pixels, frame=colour)
        sheet.lines(place, texts, [colour, theme.muted])
    return sheet.figure


def worst_errors(images: Tensor, predictions: Predictions, theme: Theme) -> Figure | None:
    """The mistakes that gave the label the least probability, with the two most probable classes; None without any.

    `images` are (N, 1, H, W) uint8, `predictions` theirs; # is an image's index, as in predictions.csv.
    """
    chosen = predictions.mistakes[:WORST_SHOWN]
    if not len(chosen):
        return None
    sheet = Sheet(theme, len(chosen), 5, lines=3, gap=0.22)
    names = predictions.class_names
    best = predictions.probabilities[chosen].topk(min(2, len(names)), dim=1)
    for place, pixels in enumerate(grey(images[chosen])):
        label = names[int(predictions.labels[chosen[place]])]
        sheet.image(place, pixels)
        sheet.lines(place, [f"is {drawable(label, 9)}, #{int(chosen[place])}"], [theme.ink])
        for rank, (share, index) in enumerate(
            zip(best.values[place].tolist(), best.indices[place].tolist(), strict=True)
        ):
            colour = theme.right if names[index] == label else theme.wrong
            _class_bar(sheet, place, 1 + rank, drawable(names[index], 9), share, colour)
    return sheet.figure


def worst_writers(images: Tensor, predictions: Predictions, theme: Theme) -> Figure | None:
    """Mistakes of the writers who are read worst, a row for each; None without any, or without known writers.

    `images` are (N, 1, H, W) uint8, `predictions` theirs.
    """
    worst = [score for score in predictions.by_writer if score.right < score.images][:WRITERS_SHOWN]
    if not worst or predictions.writers is None:
        return None
    sheet = Sheet(theme, len(worst) * MISTAKES_SHOWN, MISTAKES_SHOWN, lines=1, left=1.3)
    wrong = predictions.mistakes
    for row, score in enumerate(worst):
        mistakes = wrong[predictions.writers[wrong] == score.writer][:MISTAKES_SHOWN]
        sheet.row_name(row, f"writer {score.writer}\n{score.right / score.images:.1%} of {score.images}")
        for place, (index, pixels) in enumerate(zip(mistakes.tolist(), grey(images[mistakes]), strict=True)):
            name = drawable(predictions.class_names[int(predictions.predicted[index])], longest=7)
            sheet.image(row * MISTAKES_SHOWN + place, pixels)
            sheet.lines(row * MISTAKES_SHOWN + place, [f"{WRONG_MARK} {name}"], [theme.wrong])
    return sheet.figure


def first_filters(filters: Tensor | None, theme: Theme) -> Figure | None:
    """Kernels (F, C, h, w) of the first layer, mean over channels, all on one scale; None without any."""
    if filters is None:
        return None
    kernels = filters[:FILTERS_SHOWN].detach().float().mean(dim=1).cpu().numpy()
    sheet = Sheet(theme, len(kernels), min(16, max(8, len(kernels))), gap=0.08)
    for place, kernel in enumerate(_coloured(kernels, theme)):
        sheet.image(place, kernel, frame="")
    return sheet.figure


def explanations(
    images: Tensor, predictions: Predictions, attributed: Tensor, attributions: Tensor, theme: Theme
) -> Figure | None:
    """Images beside the attributions for (orange) and against (blue) the prediction; None without any.

    Args:
        images: (N, 1, H, W) uint8.
        predictions: of these images.
        attributed: (A,) int64, indices of the images.
        attributions: (A, 1, H, W) float, positive for the predicted class.
        theme: of the page.
    """
    if not len(attributed):
        return None
    sheet = Sheet(theme, len(attributed), 4, lines=1, gap=0.2, wide=2)
    heats = attributions.detach().float().mean(dim=1).cpu().numpy()
    for place, (pixels, heat) in enumerate(zip(grey(images[attributed]), heats, strict=True)):
        index = int(attributed[place])
        sheet.image(place, pixels)
        sheet.image(place, _over(pixels, _coloured(heat[None], theme)[0], heat), slot=1)
        name = drawable(predictions.class_names[int(predictions.predicted[index])], 11)
        label = drawable(predictions.class_names[int(predictions.labels[index])], 11)
        if predictions.correct[index]:
            sheet.lines(place, [f"{RIGHT_MARK} {name}"], [theme.right])
        else:
            sheet.lines(place, [f"{WRONG_MARK} {name}, is {label}"], [theme.wrong])
    return sheet.figure


def _range(images: Tensor) -> str:
    return f"{images.min().item():.3g} to {images.max().item():.3g}".replace("-", "\N{MINUS SIGN}")


def _class_bar(sheet: Sheet, place: int, line: int, name: str, share: float, colour: str) -> None:
    """A class with its probability, on a bar of that length."""
    x, y = sheet.corner(place)
    y += sheet.side + line * sheet.line
    for length, fill in ((1.0, sheet.theme.panel), (share, colour)):
        sheet.axes.add_patch(
            Rectangle(
                (x, y + 0.015), length * sheet.side, sheet.line - 0.03, color=fill, alpha=0.32, linewidth=0, zorder=1
            )
        )
    style: dict[str, Any] = {"fontsize": SMALL, "color": sheet.theme.ink, "verticalalignment": "center"}
    middle = y + sheet.line * 0.52
    sheet.axes.text(x + 0.04, middle, name, **style)
    sheet.axes.text(x + sheet.side - 0.04, middle, percent(share), horizontalalignment="right", **style)


def _coloured(values: NDArray[np.float32], theme: Theme) -> NDArray[np.float32]:
    """Signed values (N, H, W) -> colours (N, H, W, 3), zero in the middle of the scale, the strongest at its ends."""
    strongest = max(float(np.abs(values).max()), 1e-12)
    return theme.signed(0.5 + values / strongest / 2)[..., :3].astype(np.float32)


def _over(pixels: NDArray[np.float32], colours: NDArray[np.float32], heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (H, W, 3) laid over dimmed grey pixels (H, W), the more opaque the stronger the heat (H, W)."""
    strength = np.abs(heat) / max(float(np.abs(heat).max()), 1e-12)
    opacity = np.sqrt(strength)[..., None]
    return ((1 - opacity) * 0.45 * pixels[..., None] + opacity * colours).astype(np.float32)
