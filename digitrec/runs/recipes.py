"""Whether one recipe is better than another: two groups of runs over seeds and folds, by a t-test."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean, stdev, variance

from digitrec.errors import UsageError
from digitrec.run_folder.differences import differing
from digitrec.run_folder.filters import chosen
from digitrec.run_folder.formatting import format_metric, format_spread, is_share
from digitrec.run_folder.groups import Spread, one_per_seed, spreads
from digitrec.run_folder.ranking import check_metric, data_of
from digitrec.run_folder.run import Run

LEVEL, POWER = 0.05, 0.8  # of the test; and of one with as many seeds as would be needed
MOST_SEEDS = 1000


@dataclass(frozen=True)
class RecipeTest:
    """A comparison of two recipes by a metric.

    Attributes:
        names: the expressions that chose the runs of A and B.
        metric: its name.
        spreads: of A and B, over the runs that are compared.
        paired: over runs of the same seed and fold; else the groups are independent.
        difference: mean of B minus that of A.
        interval: 95 % interval of the difference; None where there is no deviation to be had.
        p_value: two-sided, that so large a difference is chance; None likewise.
        needed: runs of each that would show such a difference in four of five studies; None: above `MOST_SEEDS`.
    """

    names: tuple[str, str]
    metric: str
    spreads: tuple[Spread, Spread]
    paired: bool
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    needed: int | None


def choose(runs: Sequence[Run], expressions: Sequence[str], metric: str) -> tuple[list[Run], list[Run]]:
    """Runs of A and of B that have the metric; one that fits both expressions belongs to the longer.

    Raises:
        UsageError: a group has fewer than two runs, is of several recipes, or the data differ.
    """
    check_metric(metric, runs)
    having = [run for run in runs if metric in run.metrics]
    a, b = ({run.folder for run in chosen(having, [text])} for text in expressions)
    a, b = (a - b, b) if len(expressions[1]) >= len(expressions[0]) else (a, b - a)
    groups = []
    for text, folders in zip(expressions, (a, b), strict=True):
        members = [run for run in having if run.folder in folders]
        if others := differing(members):
            raise UsageError(f"{text}: its runs differ in {', '.join(others)} as well; name one recipe, as in lr=0.003")
        groups.append(one_per_seed(members))
        if len(groups[-1]) < 2:
            raise UsageError(f"{text}: {len(members)} of {len(runs)} runs with {metric}; expected two seeds or more")
    if len(data := {data_of(run) for group in groups for run in group}) > 1:
        raise UsageError(f"the runs are of {', '.join(sorted(data))}; add data=... to both")
    return groups[0], groups[1]


def compare_recipes(a: Sequence[Run], b: Sequence[Run], names: tuple[str, str], metric: str) -> RecipeTest:
    """Test the difference of two recipes: paired over common seeds and folds if there are two, else Welch's test.

    Pairs of the same seed share their split and order of images, which takes that part of chance out of the difference
    (Bouthillier et al., 2021, arXiv:2103.03098). Runs over folds share most of their training images: the variance of
    their mean is enlarged by the share of test to training images (Nadeau and Bengio, 2003, Machine Learning 52).
    """
    common = {(run.seed, run.fold) for run in a} & {(run.seed, run.fold) for run in b}
    paired = len(common) > 1
    if paired:
        a, b = ([run for run in group if (run.seed, run.fold) in common] for group in (a, b))
    first, second = ([run.metrics[metric] for run in sorted(group, key=_place)] for group in (a, b))
    difference = fmean(second) - fmean(first)
    overlap = _overlap([*a, *b])
    if paired:
        spread, freedom = stdev([y - x for x, y in zip(first, second, strict=True)]), float(len(first) - 1)
        error = spread * sqrt(1 / len(first) + overlap)
    else:
        shares = [variance(values) * (1 / len(values) + overlap) for values in (first, second)]
        error = sqrt(sum(shares))
        parts = [share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)]
        freedom = sum(shares) ** 2 / sum(parts) if error else float(len(first) + len(second) - 2)
        spread = sqrt(variance(first) + variance(second))
    from scipy.stats import t  # takes half a second to import

    known = error > 0 and isfinite(error)
    half = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    return RecipeTest(
        names,
        metric,
        (spreads(a)[metric], spreads(b)[metric]),
        paired,
        difference,
        (difference - half, difference + half) if known else None,
        float(2 * t.sf(abs(difference) / error, freedom)) if known else None,
        _needed(abs(difference), spread, paired=paired),
    )


def _place(run: Run) -> tuple[int, int]:
    return (run.seed or 0, run.fold or 0)


def _overlap(runs: Sequence[Run]) -> float:
    """Test images by training images of a fold; 0 without folds."""
    folds = max((run.settings.get("data.folds") or 0 for run in runs if run.fold is not None), default=0)
    return 1 / (folds - 1) if folds > 1 else 0.0


def _needed(difference: float, spread: float, *, paired: bool) -> int | None:
    """The least number of runs with which a t-test shows the difference with probability `POWER`, about."""
    from scipy.stats import t

    for count in range(2, MOST_SEEDS + 1):
        freedom = count - 1 if paired else 2 * (count - 1)
        margin = float(t.ppf(1 - LEVEL / 2, freedom) + t.ppf(POWER, freedom))
        if difference >= margin * spread / sqrt(count):
            return count
    return None


def lines(found: RecipeTest) -> list[str]:
    """The comparison in words."""
    share = is_share(found.metric)
    points = " percentage points" if share else ""
    runs = f"{found.spreads[0].n} pairs of the same seed" if found.paired else "independent runs"

    def unit(value: float) -> str:
        return f"{100 * value:+.2f}" if share else f"{value:+.4g}"

    text = [
        f"{letter}: {name}  {format_spread(found.metric, spread)}"
        for letter, name, spread in zip("AB", found.names, found.spreads, strict=True)
    ]
    text.append(f"{found.metric}, B - A: {unit(found.difference)}{points}, over {runs}")
    if found.interval is None or found.p_value is None:
        return [*text, "no test: the runs do not differ among themselves"]
    low, high = found.interval
    meaning = "more than chance would explain" if found.p_value < LEVEL else "it may well be chance"
    kind = "paired t-test" if found.paired else "Welch's t-test"
    text.append(f"95% interval {unit(low)} to {unit(high)}{points}; {kind}: p = {found.p_value:.3g}, {meaning}")
    if found.p_value >= LEVEL:
        runs_needed = f"about {found.needed}" if found.needed else f"more than {MOST_SEEDS}"
        size = format_metric(found.metric, abs(found.difference))
        text.append(f"to show a difference of {size}: {runs_needed} runs of each (power {POWER:.0%})")
    return text
