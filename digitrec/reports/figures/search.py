"""Figures of a search for better settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from digitrec.reports.figures.style import SMALL, Theme, drawable, new_figure, style_axes

ROOM = 0.12  # share of an axis left free above and below
REACH = 1.5  # how far below the median values are shown, in distances from it to the best
EDGE = 0.04  # share of an axis left free beside the searched range
LONG = 14  # characters of an option's name
WIDE = 20  # characters of all options beyond which they are written at a slant


@dataclass(frozen=True)
class Tried:
    """A trial as figures show it: its number, settings, value (None if it failed), and whether it was completed."""

    number: int
    settings: Mapping[str, Any]
    value: float | None
    complete: bool


@dataclass(frozen=True)
class Scale:
    """How values of a metric are drawn: its name, whether less is better, whether it is a share."""

    metric: str
    lower: bool
    share: bool


@dataclass(frozen=True)
class Axis:
    """A setting's axis: from where to where it was searched, None for options; and whether it is logarithmic."""

    low: float | None = None
    high: float | None = None
    logarithmic: bool = False


def search_history(trials: Sequence[Tried], scale: Scale, theme: Theme, before: float | None = None) -> Figure:
    """Each trial's value by its number, and the best one up to there.

    Args:
        trials: by number.
        scale: of their values.
        theme: of the page.
        before: value of the settings as they were, drawn as a line.
    """
    figure = new_figure(theme, 3.2)
    axes = figure.subplots()
    style_axes(axes, theme, x="trial", y=scale.metric)
    _fit(axes, trials, scale)
    _points(axes, [(trial.number, trial) for trial in trials], theme)
    _at_the_edge(axes, trials, scale, theme)
    _best_so_far(axes, trials, scale, theme)
    if before is not None:
        axes.axhline(before, color=theme.muted, linewidth=1, linestyle=":", label="settings as they were")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    figure.legend(
        loc="outside lower center", ncols=6, frameon=False, fontsize=SMALL, labelcolor=theme.ink, columnspacing=1.2,
        handletextpad=0.4,
    )  # fmt: skip
    return figure


def importance(shares: Mapping[str, float], theme: Theme) -> Figure | None:
    """Level bars of the share of the spread that each setting accounts for; None where that is unknown."""
    if not shares:
        return None
    figure = new_figure(theme, 0.7 + 0.36 * len(shares))
    axes = figure.subplots()
    style_axes(axes, theme, x="share of the spread of values", grid="x")
    axes.barh(range(len(shares)), list(shares.values()), height=0.7, color=theme.first)
    for row, share in enumerate(shares.values()):
        axes.text(share, row, f" {share:.0%}", verticalalignment="center", color=theme.ink, fontsize=SMALL)
    axes.set_yticks(range(len(shares)), [drawable(name, 30) for name in shares], color=theme.ink)
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(shares.values()))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def slices(
    trials: Sequence[Tried], names: Mapping[str, Axis], scale: Scale, theme: Theme, best: Tried | None = None
) -> Figure:
    """Values of trials over each setting, one panel each.

    Args:
        trials: in any order.
        names: of the settings, with their axes.
        scale: of the values.
        theme: of the page.
        best: marked.
    """
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(theme, 0.3 + 2.0 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, (name, axis) in zip(panels.flat, names.items(), strict=False):
        style_axes(axes, theme, drawable(name, 30))
        place = _places(axes, axis, [trial.settings[name] for trial in trials])
        _points(axes, [(place(trial.settings[name]), trial) for trial in trials], theme)
        if best is not None and best.value is not None:
            axes.plot(place(best.settings[name]), best.value, "o", color=theme.second, markersize=7)
    for axes in panels[:, 0]:
        axes.set_ylabel(scale.metric, fontsize=SMALL, color=theme.muted)
    _fit(panels[0, 0], trials, scale)
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    return figure


def _best_so_far(axes: Axes, trials: Sequence[Tried], scale: Scale, theme: Theme) -> None:
    complete = [(trial.number, trial.value) for trial in trials if trial.complete and trial.value is not None]
    if not complete:
        return
    best = list(accumulate((value for _, value in complete), min if scale.lower else max))
    numbers = [*(number for number, _ in complete), trials[-1].number]  # up to the last, even if it failed
    values = [*best, best[-1]]
    axes.plot(numbers, values, color=theme.second, drawstyle="steps-post", linewidth=1.8, label="best so far")


def _at_the_edge(axes: Axes, trials: Sequence[Tried], scale: Scale, theme: Theme) -> None:
    """Mark trials outside the axes: failed ones, and those far worse than most."""
    low, high = axes.get_ylim()
    failed = [trial.number for trial in trials if trial.value is None]
    beyond = [trial.number for trial in trials if trial.value is not None and not low <= trial.value <= high]
    height, place = 0.97 if scale.lower else 0.03, axes.get_xaxis_transform()
    marks = {
        "worse than shown": (beyond, "^" if scale.lower else "v", theme.first),
        "failed": (failed, "x", theme.wrong),
    }
    for label, (numbers, marker, colour) in marks.items():
        if numbers:
            heights = [height] * len(numbers)
            axes.plot(numbers, heights, marker, color=colour, markersize=4.5, label=label, transform=place)


def _places(axes: Axes, axis: Axis, values: Sequence[Any]) -> Callable[[Any], float]:
    """The place of a value on an axis: numbers at their value, options side by side."""
    if axis.low is not None and axis.high is not None:
        _bound(axes, axis.low, axis.high, logarithmic=axis.logarithmic)
        return float
    options = sorted(set(values), key=lambda value: (len(str(value)), str(value)))
    axes.set_xticks(range(len(options)), [drawable(str(option), LONG) for option in options])
    axes.set_xlim(-0.5, len(options) - 0.5)
    if sum(len(str(option)) for option in options) > WIDE:
        axes.tick_params(axis="x", labelrotation=30, labelsize=SMALL - 1.5)
    return options.index


def _bound(axes: Axes, low: float, high: float, *, logarithmic: bool) -> None:
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        edge = (high / low) ** EDGE
        axes.set_xlim(low / edge, high * edge)
    else:
        edge = EDGE * (high - low)
        axes.set_xlim(low - edge, high + edge)


def _points(axes: Axes, points: Sequence[tuple[float, Tried]], theme: Theme) -> None:
    for label, complete, face in (("complete", True, theme.first), ("ended early", False, "none")):
        chosen = [(x, trial.value) for x, trial in points if trial.complete == complete and trial.value is not None]
        if chosen:
            axes.plot(
                [x for x, _ in chosen], [y for _, y in chosen], "o", label=label,
                color=theme.first, markerfacecolor=face, markersize=4.5, alpha=0.85,
            )  # fmt: skip


def _fit(axes: Axes, trials: Sequence[Tried], scale: Scale) -> None:
    """Show the better half at its full height; values far below it are marked at the edge."""
    if scale.share:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    values = [trial.value for trial in trials if trial.value is not None]
    if len(values) < 2:
        return
    ordered = sorted(values, reverse=scale.lower)  # the worst first
    best, middle = ordered[-1], ordered[len(ordered) // 2]
    worst = middle + REACH * (middle - best)
    worst = min(worst, ordered[0]) if scale.lower else max(worst, ordered[0])
    edge = ROOM * abs(best - worst) or abs(best) * 0.01 or 1.0
    axes.set_ylim(min(worst, best) - edge, max(worst, best) + edge)
