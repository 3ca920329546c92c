"""Figures about classes: how many images, which are mixed up, how well each is read, how they lie to each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from torch import Tensor

from digitrec.evaluation.predictions import Predictions
from digitrec.reports.figures.style import SMALL, TEXT, WIDTH, Theme, drawable, legend, new_figure, style_axes

FEW = 12  # classes up to which every number is written
HOT_SPOTS = 15


def class_counts(counts: Mapping[str, Tensor], class_names: Sequence[str], theme: Theme) -> Figure:
    """Images per class, one panel for each split; `counts` are (C,) by split."""
    panels = {f"{split} ({int(values.sum()):,})": values.tolist() for split, values in counts.items()}
    figure, columns = _bars(panels, class_names, theme, "{:,.0f}")
    for axes in columns:
        axes.set_xlabel("images", fontsize=SMALL, color=theme.muted)
    return figure


def scores(predictions: Predictions, theme: Theme) -> Figure:
    """Precision, recall and F1 of each class, the lowest of the classes that occur in another colour."""
    found = predictions.class_scores
    panels = {"precision": found.precision.tolist(), "recall": found.recall.tolist(), "F1": found.f1.tolist()}
    figure, columns = _bars(panels, predictions.class_names, theme, "{:.3f}")
    for axes, values in zip(columns, panels.values(), strict=True):
        axes.set_xlim(0, 1)
        occurring = np.where(found.support > 0, values, np.inf)
        if len(set(values)) > 1:
            axes.patches[int(np.argmin(occurring))].set_facecolor(theme.second)
    return figure


def confusion_counts(predictions: Predictions, theme: Theme) -> Figure:
    """How many images of each class were read as which; only mistakes are in strong colours."""
    return _confusion(predictions.confusion.numpy().astype(float), predictions.class_names, theme, "{:,.0f}")


def confusion_shares(predictions: Predictions, theme: Theme) -> Figure:
    """The same in percent of the images of each class."""
    confusion = predictions.confusion.double()
    shares = 100 * confusion / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    return _confusion(shares.numpy(), predictions.class_names, theme, "{:.1f}")


def embedding(points: Tensor, labels: Tensor, correct: Tensor, class_names: Sequence[str], theme: Theme) -> Figure:
    """Features of images in the plane, each class named at the median of its points, mistakes crossed.

    Args:
        points: (M, 2) float.
        labels: (M,) int64.
        correct: (M,) bool, whether each was read right.
        class_names: one per class.
        theme: of the page.
    """
    figure = new_figure(theme, 5.6)
    axes = figure.subplots()
    style_axes(axes, theme, grid="")
    axes.set_axis_off()
    colours = np.array(theme.many)[labels.numpy() % len(theme.many)]
    axes.scatter(points[:, 0], points[:, 1], s=7, c=colours, alpha=0.6, linewidths=0)
    mistakes = points[~correct]
    if len(mistakes):
        axes.scatter(mistakes[:, 0], mistakes[:, 1], s=26, c=theme.ink, marker="x", linewidths=1, label="read wrong")
        legend(axes, theme, loc="upper left", bbox_to_anchor=(0, 1.06))
    halo = [withStroke(linewidth=3, foreground=theme.background)]
    for label in labels.unique().tolist():
        x, y = points[labels == label].median(dim=0).values.tolist()
        style: dict[str, Any] = {
            "fontsize": TEXT + 2 if len(class_names) <= FEW else TEXT,
            "fontweight": "bold",
            "path_effects": halo,
        }
        axes.text(x, y, drawable(class_names[label]), color=theme.ink, ha="center", va="center", **style)
    return figure


def _bars(
    panels: Mapping[str, Sequence[float]], names: Sequence[str], theme: Theme, number: str
) -> tuple[Figure, list[Axes]]:
    """Panels of level bars from zero, one bar per class, its number at its end."""
    height = 0.8 + len(names) * (0.25 if len(names) <= FEW else 0.17)
    figure = new_figure(theme, height)
    columns = list(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0])
    size = SMALL if len(names) <= FEW else 6.5
    for axes, (title, values) in zip(columns, panels.items(), strict=True):
        style_axes(axes, theme, title, grid="x")
        axes.barh(range(len(names)), values, height=0.78, color=theme.first)
        for row, value in enumerate(values):
            inside = value > 0.4 * max(values)
            axes.annotate(
                number.format(value), (value, row), (-4 if inside else 4, 0), textcoords="offset points", fontsize=size,
                color=theme.background if inside else theme.ink, ha="right" if inside else "left", va="center",
            )  # fmt: skip
        axes.set_yticks(range(len(names)), [drawable(name) for name in names], fontsize=size, color=theme.ink)
        axes.locator_params(axis="x", nbins=4)
    columns[0].set_ylim(len(names) - 0.4, -0.6)
    return figure, columns


def _confusion(matrix: NDArray[np.float64], names: Sequence[str], theme: Theme, number: str) -> Figure:
    """A table of labels (rows) against predictions: the diagonal calm, mistakes the warmer the more there are."""
    few = len(names) <= FEW
    figure = new_figure(theme, WIDTH * 0.86 if few else 9.6, WIDTH if few else 10.2)
    axes = figure.subplots()
    style_axes(axes, theme, x="predicted", y="label", grid="")
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    colours = theme.heat((mistakes / max(mistakes.max(), 1e-12)) ** 0.7)
    colours[np.eye(len(names), dtype=bool)] = _tint(theme)
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    boundaries = np.arange(len(names) + 1) - 0.5
    axes.hlines(boundaries, -0.5, len(names) - 0.5, color=theme.background, linewidth=2 if few else 0.7)
    axes.vlines(boundaries, -0.5, len(names) - 0.5, color=theme.background, linewidth=2 if few else 0.7)
    least = 0.0 if few else np.sort(mistakes, axis=None)[-min(HOT_SPOTS, mistakes.size)]
    for row, column in np.argwhere((matrix if few else mistakes) >= max(least, 1e-12)).tolist():
        axes.text(
            column, row, number.format(matrix[row, column]), ha="center", va="center", fontsize=SMALL if few else 6,
            color=_readable(colours[row, column], theme), fontweight="bold" if row == column else "normal",
        )  # fmt: skip
    long = max(len(name) for name in names) > 3
    ticks: dict[str, Any] = {"fontsize": SMALL if few else 6.5, "color": theme.ink}
    axes.set_xticks(range(len(names)), [drawable(name) for name in names], rotation=45 if few else 90, **ticks)
    if not long:
        axes.tick_params(axis="x", rotation=0)
    elif few:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [drawable(name) for name in names], **ticks)
    axes.spines["bottom"].set_visible(False)
    return figure


def _tint(theme: Theme) -> tuple[float, ...]:
    """The colour of what is right, faint enough for text upon it."""
    return (
        *(
            0.22 * right + 0.78 * page
            for right, page in zip(to_rgb(theme.right), to_rgb(theme.background), strict=True)
        ),
        1.0,
    )


def _readable(colour: NDArray[np.float64], theme: Theme) -> str:
    """Black or white, whichever stands out more from a colour (WCAG's relative luminance)."""
    channels = np.asarray(colour[:3])
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#000000" if luminance > 0.179 else "#ffffff"
