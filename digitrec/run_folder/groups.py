"""Runs that differ in their seeds and folds only, taken together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from digitrec.run_folder.differences import lacked, recipe
from digitrec.run_folder.ranking import data_of, order
from digitrec.run_folder.run import Run


@dataclass(frozen=True)
class Spread:
    """A metric over seeds and folds: mean, sample standard deviation (None of a single run), number of runs."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Group:
    """Runs of the same settings.

    Attributes:
        runs: all of them, the oldest first, those that failed too.
        metrics: by name, of one run per seed and fold, the newest finished one.
    """

    runs: tuple[Run, ...]
    metrics: Mapping[str, Spread]

    @property
    def means(self) -> dict[str, float]:
        """Each metric's mean."""
        return {name: spread.mean for name, spread in self.metrics.items()}


def grouped(runs: Sequence[Run], metric: str) -> list[Group]:
    """Runs by all their settings but seed and fold, of each data set the group with the best mean of a metric first.

    A run without settings is a group of its own.
    """
    same: dict[object, list[Run]] = {}
    without = lacked([run for run in runs if run.settings])
    for run in runs:
        same.setdefault(recipe(run, without) or run.folder, []).append(run)
    groups = [Group(tuple(members), spreads(one_per_seed(members))) for members in same.values()]
    data = list(dict.fromkeys(map(data_of, sorted(runs, key=lambda run: run.start, reverse=True))))
    return sorted(groups, key=lambda group: (data.index(data_of(group.runs[0])), *order(group.means, metric)))


def one_per_seed(runs: Sequence[Run]) -> list[Run]:
    """The newest finished run of each seed and fold, else the newest; every run of an unknown seed."""
    last = sorted(runs, key=lambda run: (run.status == "finished", run.start))
    return list({run.folder if run.seed is None else (run.seed, run.fold): run for run in last}.values())


def spreads(runs: Sequence[Run]) -> dict[str, Spread]:
    """Each metric over runs of different seeds."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    values = {name: [run.metrics[name] for run in runs if name in run.metrics] for name in names}
    return {
        name: Spread(fmean(found), stdev(found) if len(found) > 1 else None, len(found))
        for name, found in values.items()
    }
