"""Order runs by a metric."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import mode
from typing import TypeVar

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.run import Run
from digitrec.system.wording import near

USUAL = "val/accuracy"
Row = TypeVar("Row")
LOWER = ("loss", "error", "distance", "duration", "time")  # in the last part of a name: less is better


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is better, from its name."""
    return any(part in metric.rpartition("/")[2] for part in LOWER)


def usual_metric(runs: Sequence[Run]) -> str:
    """The objective of most runs."""
    objectives = [str(run.settings["objective"]) for run in runs if run.settings.get("objective")]
    return mode(objectives) if objectives else USUAL


def check_metric(metric: str, runs: Sequence[Run]) -> None:
    """Raise UsageError if no run has a metric of this name, though some have others."""
    known = sorted({name for run in runs for name in run.metrics})
    if known and metric not in known:
        whole = [name for name in known if name.rpartition("/")[2] == metric]
        hint = f", did you mean {' or '.join(whole)}?" if whole else near(metric, known)
        hint = hint or f"; there are {', '.join(known[:8])}, ..."
        raise UsageError(f"{metric}: no run has this metric{hint}")


def ranked(runs: Sequence[Run], metric: str) -> list[Run]:
    """Runs of each data set by a metric, the best first, then those without it; the data set used last comes first.

    Runs on different data are not compared. Of runs without the metric the finished come first, of equals the newest.
    """
    newest = sorted(runs, key=lambda run: run.start, reverse=True)
    order_of = {name: place for place, name in enumerate(dict.fromkeys(map(data_of, newest)))}
    return sorted(
        newest, key=lambda run: (order_of[data_of(run)], *order(run.metrics, metric), run.status != "finished")
    )


def first_of_each(rows: Sequence[Row], data: Iterable[str], most: int | None) -> list[Row]:
    """The first rows of each data set, so many; all of them if None."""
    seen: Counter[str] = Counter()
    first = []
    for row, name in zip(rows, data, strict=True):
        seen[name] += 1
        if most is None or seen[name] <= most:
            first.append(row)
    return first


def data_of(run: Run) -> str:
    """The data set of a run: results on different ones are not comparable; of own pictures it is their folder."""
    name = str(run.record.get("data") or run.settings.get("data.dataset") or "")
    return str(run.settings.get("data.root") or name) if name == "folder" else name


def order(metrics: Mapping[str, float], metric: str) -> tuple[bool, float]:
    """A key that sorts the best first."""
    value = metrics.get(metric)
    if value is None:
        return True, 0.0
    return False, value if lower_is_better(metric) else -value


def best_run(runs: Sequence[Run], metric: str) -> Run:
    """The best by a metric, whatever the data.

    Raises:
        DigitrecError: none has it.
    """
    if having := [run for run in runs if metric in run.metrics]:
        newest = sorted(having, key=lambda run: run.start, reverse=True)
        return min(newest, key=lambda run: order(run.metrics, metric))
    others = sorted({name for run in runs for name in run.metrics if name.endswith("/accuracy")})
    hint = f"; they have {', '.join(others)}: choose with --metric" if others else ""
    raise DigitrecError(f"none of {len(runs)} runs has {metric}{hint}" if runs else "there is no run to choose from")
