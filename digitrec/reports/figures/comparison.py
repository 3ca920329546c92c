"""The figure of two models that read the same images."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digitrec.evaluation.comparison import Comparison
from digitrec.reports.figures.style import SMALL, TEXT, Theme, drawable, new_figure, style_axes


def agreement(comparison: Comparison | None, theme: Theme, names: tuple[str, str] | None = None) -> Figure | None:
    """Images by who reads them right, McNemar's two by two table; None without a comparison.

    Args:
        comparison: of two models.
        theme: of the page.
        names: of two runs, which the cells call A and B; without them it is this model and the other.
    """
    if comparison is None:
        return None
    one, other = names or ("this model", f"the other: {_tail(comparison.other)}")
    short = ("A", "B") if names else ("this model", "the other")
    figure = new_figure(theme, 3.0, 5.2)
    axes = figure.subplots()
    style_axes(axes, theme, grid="")
    cells = [
        (0, 0, comparison.both_right, "both right", theme.right),
        (1, 0, comparison.test.only_a, f"only {short[0]} right", theme.first),
        (0, 1, comparison.test.only_b, f"only {short[1]} right", theme.second),
        (1, 1, comparison.both_wrong, "both wrong", theme.muted),
    ]
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": theme.ink}
    for column, row, count, words, colour in cells:
        axes.add_patch(Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, color=colour, alpha=0.2, linewidth=0))
        axes.text(column + 0.5, row + 0.42, f"{count:,}", fontsize=TEXT * 1.9, fontweight="bold", **style)
        axes.text(column + 0.5, row + 0.74, words, fontsize=SMALL, **style)
    axes.set(xlim=(0, 2), ylim=(2, 0))
    axes.set_xticks([0.5, 1.5], ["right", "wrong"])
    axes.set_yticks([0.5, 1.5], ["right", "wrong"], rotation=90, va="center")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(drawable(other, 51), fontsize=SMALL, color=theme.muted)
    axes.set_ylabel(drawable(one, 26), fontsize=SMALL, color=theme.muted)
    axes.spines[:].set_visible(False)
    return figure


def _tail(path: str, longest: int = 39) -> str:
    """End of a path: where runs differ."""
    return path if len(path) <= longest else f"…{path[1 - longest :]}"
