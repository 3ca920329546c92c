"""The figure of two models that read the same images."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digitrec.evaluation.examination import Comparison
from digitrec.evaluation.figures.style import SMALL, TEXT, Theme, blank, dress, plain


def agreement(comparison: Comparison | None, theme: Theme) -> Figure | None:
    """Images by who reads them right, McNemar's two by two table; None without a comparison."""
    if comparison is None:
        return None
    figure = blank(theme, 3.0, 5.2)
    axes = figure.subplots()
    dress(axes, theme, grid="")
    only_this, only_other = comparison.test.only_a, comparison.test.only_b
    cells = [
        (0, 0, comparison.both_right, "both right", theme.right),
        (1, 0, only_this, "only this model right", theme.first),
        (0, 1, only_other, "only the other right", theme.second),
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
    axes.set_xlabel(f"the other: {plain(_tail(comparison.other), 40)}", fontsize=SMALL, color=theme.muted)
    axes.set_ylabel("this model", fontsize=SMALL, color=theme.muted)
    axes.spines[:].set_visible(False)
    return figure


def _tail(path: str, longest: int = 39) -> str:
    """End of a path: where runs differ."""
    return path if len(path) <= longest else f"…{path[1 - longest :]}"
