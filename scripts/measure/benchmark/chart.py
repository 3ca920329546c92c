"""How fast ways to train are."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from digitrec.reports.figures.style import SMALL, Theme, new_figure, style_axes


def speeds(rates: Mapping[str, float], theme: Theme) -> Figure:
    """Level bars of images a second by the name of a way to train, the first one in another colour."""
    figure = new_figure(theme, 0.9 + 0.42 * len(rates))
    axes = figure.subplots()
    style_axes(axes, theme, x="training images a second", grid="x")
    bars = axes.barh(range(len(rates)), list(rates.values()), height=0.72, color=theme.first)
    bars[0].set_facecolor(theme.second)
    for row, rate in enumerate(rates.values()):
        axes.text(rate, row, f" {rate:,.0f}", verticalalignment="center", color=theme.ink, fontsize=SMALL)
    axes.set_yticks(range(len(rates)), list(rates), color=theme.ink)
    axes.set_ylim(len(rates) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(rates.values()))
    return figure
