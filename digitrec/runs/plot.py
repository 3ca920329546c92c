"""A final metric over a setting that varies among runs: mean and deviation over seeds, as a figure and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from digitrec.errors import UsageError
from digitrec.run_folder.differences import differing
from digitrec.run_folder.filters import setting_named, value_of
from digitrec.run_folder.formatting import is_share
from digitrec.run_folder.groups import Spread, one_per_seed, spreads
from digitrec.run_folder.ranking import check_metric, data_of
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import spelled


@dataclass(frozen=True)
class Point:
    """The metric of the runs of one line with one value of the setting."""

    line: str
    x: float
    y: Spread


def points(runs: Sequence[Run], x: str, y: str, by: str | None) -> list[Point]:
    """Points of each line, in the order of x.

    Args:
        runs: those without the metric are left out, and of each seed the newest is taken.
        x: a setting that holds numbers, or its last part.
        y: name of the metric.
        by: a setting with a line for each value; None for one line.

    Raises:
        UsageError: no runs, an unknown name, a setting that does not vary or holds no numbers, or another that varies.
    """
    check_metric(y, runs)
    having = [run for run in runs if y in run.metrics]
    if not having:
        raise UsageError(f"none of {len(runs)} runs has {y}; nothing to plot")
    if len(data := {data_of(run) for run in having}) > 1 and by not in ("data", "data.dataset"):
        raise UsageError(f"the runs are of {', '.join(sorted(data))}; choose with --where data=..., or plot --by data")
    name, line = (_setting(given, having) for given in (x, by))
    cells: dict[tuple[str, float], list[Run]] = {}
    for run in having:
        value = value_of(run, name or "")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UsageError(f"{name}: {run.name} has {spelled(value)}, expected numbers; leave it out with --where")
        cells.setdefault((spelled(value_of(run, line)) if line else "", float(value)), []).append(run)
    if len({value for _, value in cells}) < 2:
        raise UsageError(f"{name}: it does not vary among {len(having)} runs with {y}")
    if others := list(dict.fromkeys(other for members in cells.values() for other in differing(members))):
        raise UsageError(
            f"{', '.join(others)}: varies as well; choose runs with --where, or draw lines --by {others[0]}"
        )
    return [Point(*cell, spreads(one_per_seed(members))[y]) for cell, members in sorted(cells.items())]


def _setting(given: str | None, runs: Sequence[Run]) -> str | None:
    name = None if given is None else setting_named(given, runs)
    if given is not None and name is None:
        raise UsageError(f"{given}: no run has this setting, or several end so; see runs show RUN --json")
    return name


def draw(found: Sequence[Point], file: Path, x: str, y: str, *, log_x: bool) -> None:
    """Draw points with their deviations into a PNG."""
    from digitrec.reports.figures.curves import over_setting
    from digitrec.reports.figures.style import LIGHT

    lines: dict[str, list[tuple[float, float, float]]] = {}
    for point in found:
        lines.setdefault(point.line, []).append((point.x, point.y.mean, point.y.std or 0.0))
    figure = over_setting(lines, x, y, LIGHT, log_x=log_x, shares=is_share(y))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="png")
