"""Figures that are curves: over epochs, over the strength of a change, over confidence, over thresholds."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from digitrec.evaluation.evaluation import Robustness
from digitrec.evaluation.metrics import calibration_error, reliability
from digitrec.evaluation.predictions import Predictions
from digitrec.reports.figures.style import SMALL, Theme, drawable, legend, new_figure, percent, style_axes
from digitrec.system.wording import counted

NAMED = 4  # precision-recall curves drawn in a colour of their own
NAMED_COLOURS = (2, 1, 0, 4, 3)  # of the theme's many


def training(history: Sequence[Mapping[str, float]], theme: Theme) -> Figure | None:
    """Loss, accuracy and learning rate over the epochs; None without history."""
    panels = {
        "loss": ("train/loss", "val/loss"),
        "accuracy": ("train/accuracy", "val/accuracy"),
        "learning rate": ("lr",),
    }
    known = {title: names for title, names in panels.items() if any(name in row for row in history for name in names)}
    if not known:
        return None
    figure = new_figure(theme, 2.7)
    for axes, (title, names) in zip(figure.subplots(1, len(known), squeeze=False)[0], known.items(), strict=True):
        style_axes(axes, theme, title, x="epoch")
        for name, colour, line in zip(names, (theme.second, theme.first), ("--", "-"), strict=False):
            _series(axes, history, name, theme.first if name == "lr" else colour, "-" if name == "lr" else line)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        if title == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        if title != "learning rate":
            legend(axes, theme)
    return figure


def lr_range(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggested: float, theme: Theme
) -> Figure:
    """Loss of each step of a range test over its learning rate, and the rate that is suggested."""
    figure = new_figure(theme, 3.2)
    axes = figure.subplots()
    style_axes(axes, theme, "learning-rate range test", x="learning rate", y="training loss")
    axes.plot(rates, losses, color=theme.muted, linewidth=0.8, label="each step")
    axes.plot(rates, smoothed, color=theme.first, linewidth=1.8, label="smoothed")
    axes.axvline(suggested, color=theme.second, linewidth=1.4, linestyle="--", label=f"suggested: {suggested:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0, top=1.6 * max(smoothed[: len(smoothed) // 4 + 1]))
    legend(axes, theme)
    return figure


def overlay(histories: Sequence[Sequence[Mapping[str, float]]], names: Sequence[str], theme: Theme) -> Figure | None:
    """Loss and accuracy of two trainings over each other, training dashed, validation solid; None without history.

    Args:
        histories: one row of metrics per epoch, of each.
        names: of the two.
        theme: of the page.
    """
    panels = {"loss": ("train/loss", "val/loss"), "accuracy": ("train/accuracy", "val/accuracy")}
    rows = [row for history in histories for row in history]
    known = {title: both for title, both in panels.items() if any(name in row for row in rows for name in both)}
    if not known:
        return None
    figure = new_figure(theme, 3.4)
    for axes, (title, metrics) in zip(figure.subplots(1, len(known), squeeze=False)[0], known.items(), strict=True):
        style_axes(axes, theme, title, x="epoch")
        for history, colour in zip(histories, (theme.first, theme.second), strict=True):
            for metric, line in zip(metrics, ("--", "-"), strict=True):
                _series(axes, history, metric, colour, line)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        if title == "loss" and all(row[metric] > 0 for row in rows for metric in metrics if metric in row):
            axes.set_yscale("log")
        if title == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(
        [Line2D([], [], color=theme.first), Line2D([], [], color=theme.second)]
        + [Line2D([], [], color=theme.muted, linestyle=line) for line in ("--", "-")],
        [*(drawable(name, 40) for name in names), "training", "validation"], loc="outside lower center", ncols=4,
        frameon=False, fontsize=SMALL, labelcolor=theme.ink,
    )  # fmt: skip
    return figure


def over_setting(
    lines: Mapping[str, Sequence[tuple[float, float, float]]],
    x: str,
    y: str,
    theme: Theme,
    *,
    log_x: bool,
    shares: bool,
) -> Figure:
    """A metric over a setting.

    Args:
        lines: by name, points of x, mean and standard deviation, x rising.
        x: name of the setting.
        y: name of the metric.
        theme: of the page.
        log_x: a logarithmic axis.
        shares: the metric is a share, in percent.
    """
    figure = new_figure(theme, 4.0)
    axes = figure.subplots()
    style_axes(axes, theme, drawable(y, 60), x=drawable(x, 60))
    colours = (theme.first, theme.second, *theme.many[2:])
    for number, (name, points) in enumerate(lines.items()):
        where, means, deviations = zip(*points, strict=True)
        axes.errorbar(
            where, means, deviations, color=colours[number % len(colours)], marker="o", markersize=4, capsize=3,
            linewidth=1.6, label=drawable(name, 30),
        )  # fmt: skip
    if log_x:
        axes.set_xscale("log")
    if shares:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if len(lines) > 1:
        legend(axes, theme)
    return figure


def robustness(changes: Sequence[Robustness], theme: Theme) -> Figure | None:
    """Accuracy over the strength of each change, starting at that of unchanged images; None without any."""
    if not changes:
        return None
    columns = min(3, len(changes))
    rows = -(-len(changes) // columns)
    figure = new_figure(theme, 0.25 + 1.85 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    for axes, change in zip(panels, changes, strict=False):
        style_axes(axes, theme, change.name, x=change.unit)
        values = [change.unchanged, *change.accuracies]
        axes.plot(values, color=theme.first, marker="o", markersize=3.5, linewidth=1.6, clip_on=False)
        axes.axhline(change.unchanged, color=theme.muted, linewidth=0.8, linestyle=":")
        axes.annotate(
            percent(values[-1]), (len(values) - 1, values[-1]), (6, 0), va="center",
            textcoords="offset points", ha="left", fontsize=SMALL, color=theme.ink,
            path_effects=[withStroke(linewidth=3, foreground=theme.background)],
        )  # fmt: skip
        axes.set_xticks(
            range(len(values)),
            ["none", *(f"{s:g}" for s in change.strengths)],
        )
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(0, 1.03)
        axes.set_xlim(right=len(values) - 0.1)  # room for the last value beside its point
    for axes in list(figure.axes)[len(changes) :]:
        axes.set_axis_off()
    return figure


def calibration(predictions: Predictions, theme: Theme) -> Figure:
    """Accuracy of predictions of equal confidence, above the number of predictions by confidence."""
    found = reliability(predictions.probabilities, predictions.labels)
    filled = found.count > 0
    confidence, accuracy = found.confidence[filled].numpy(), found.accuracy[filled].numpy()
    figure = new_figure(theme, 5.2, 5.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    style_axes(above, theme, y="accuracy", grid="both")
    above.plot((0, 1), (0, 1), color=theme.muted, linestyle=":", linewidth=1, label="confidence = accuracy")
    above.vlines(
        confidence,
        np.minimum(confidence, accuracy),
        np.maximum(confidence, accuracy),
        color=theme.wrong,
        alpha=0.5,
        linewidth=3,
        label="gap",
    )
    above.plot(
        confidence,
        accuracy,
        color=theme.first,
        marker="o",
        markersize=4.5,
        linewidth=1.4,
        label=f"this model, mean gap {calibration_error(found):.2%}",
    )
    above.set(xlim=(0, 1.01), ylim=(0, 1.02))
    legend(above, theme, loc="lower right")
    style_axes(below, theme, x="confidence (probability of the predicted class)", y="images", grid="both")
    edges = np.linspace(0, 1, len(found.count) + 1)
    below.bar(edges[:-1], found.count.numpy(), width=np.diff(edges) * 0.92, align="edge", color=theme.first)
    below.set_yscale("log")
    below.yaxis.set_major_formatter("{x:,.0f}")
    for axes in (above, below):
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    above.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def precision_recall(predictions: Predictions, theme: Theme) -> Figure:
    """Precision over recall of each class against all others, whole and near the corner; the lowest ones by name."""
    names = predictions.class_names
    classes = {
        label: ((predictions.labels == label).numpy(), predictions.probabilities[:, label].numpy())
        for label in predictions.labels.unique().tolist()
    }
    curves = {label: precision_recall_curve(*pair)[:2] for label, pair in classes.items()}
    areas = {label: float(average_precision_score(*pair)) for label, pair in classes.items()}
    order = sorted(areas, key=areas.__getitem__)
    named = order if len(order) <= NAMED + 1 else order[:NAMED]
    figure = new_figure(theme, 4.1)
    panels = figure.subplots(1, 2)
    for axes, title in zip(panels, ("whole", "near the corner"), strict=True):
        style_axes(axes, theme, title, x="recall", y="precision", grid="both")
    for label in reversed(order):
        points = _thinned(*curves[label])
        known = label in named
        colour = theme.many[NAMED_COLOURS[named.index(label)]] if known else theme.muted
        for axes in panels:
            (line,) = axes.plot(*points, color=colour, linewidth=1.8 if known else 0.7, alpha=1 if known else 0.6)
        if known:
            line.set_label(f"{drawable(names[label])}: {areas[label]:.4f}")
    others = [areas[label] for label in order if label not in named]
    if others:
        (line,) = panels[1].plot([], [], color=theme.muted, linewidth=0.7)
        line.set_label(f"{counted(len(others), 'other')}: {others[0]:.4f} to {others[-1]:.4f}")
    panels[0].set(xlim=(0, 1.02), ylim=(0, 1.02))
    farthest = min(float(np.minimum(*curve).max()) for curve in curves.values())  # 1 for a curve that reaches it
    low = min(max(1 - 4 * (1 - farthest), 0), 0.99)
    panels[1].set(xlim=(low, 1 + (1 - low) / 50), ylim=(low, 1 + (1 - low) / 50))
    panels[1].locator_params(nbins=4)
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(
        handles[::-1], labels[::-1], title="average precision", loc="outside lower center", ncols=3, frameon=False,
        fontsize=SMALL, labelcolor=theme.ink, title_fontproperties={"size": SMALL},
    ).get_title().set_color(theme.muted)  # fmt: skip
    return figure


def _thinned(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (2, n), recall and precision, that differ from the one before by at least a thousandth."""
    points = np.stack([recall, precision])
    moved = np.diff(points.round(3), axis=1).any(axis=0)
    return points[:, np.append(True, moved)]


def _series(axes: Axes, history: Sequence[Mapping[str, float]], name: str, colour: str, line: str) -> None:
    """One metric over the epochs that have it."""
    points = [(row.get("epoch", number + 1), row[name]) for number, row in enumerate(history) if name in row]
    if points:
        marker = "o" if len(points) < 30 else ""
        axes.plot(
            *zip(*points, strict=True),
            line,
            color=colour,
            marker=marker,
            markersize=3,
            linewidth=1.6,
            label=name.split("/")[0],
        )
