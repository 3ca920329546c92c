"""Metrics, times, sizes and settings as people read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from digitrec.run_folder.groups import Spread
from digitrec.run_folder.settings import spelled

SHARED = 3  # names at the beginning of all lists that are not repeated
SHARES = ("accuracy", "precision", "recall", "f1")  # how names of metrics that are shares begin, after the stage


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Heads of columns: the last part of a setting's name where no other one ends so, else all of it."""
    tails = [name.rpartition(".")[2] for name in names]
    return {name: tail if tails.count(tail) == 1 else name for name, tail in zip(names, tails, strict=True)}


def format_metric(name: str, value: float | None) -> str:
    """A metric as people read it: shares in percent, rates without decimals."""
    if value is None:
        return ""
    if is_share(name):
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}" if abs(value) >= 0.001 else f"{value:.4g}"


def is_share(name: str) -> bool:
    """Whether a metric is a share of images, by its name."""
    return name.rpartition("/")[2].startswith(SHARES)


def format_duration(seconds: float | None) -> str:
    """A length of time in one or two units."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def apart(values: Sequence[Any]) -> list[str]:
    """Values of one setting as on the command line; the names at the beginning that long lists share become dots."""
    texts = ["" if value is None else spelled(value) for value in values]
    lists = [text.split("+") for text in texts if text]
    shared = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*lists, strict=False)))
    if shared < SHARED:
        return texts
    return ["+".join(["…", *text.split("+")[shared:]]) if text else "" for text in texts]


def format_spread(name: str, found: Spread | None) -> str:
    """Mean ± standard deviation (number of runs)."""
    if found is None:
        return ""
    if found.std is None:
        return f"{format_metric(name, found.mean)} ({found.n})"
    deviation = f"{100 * found.std:.2f}" if is_share(name) else format_metric(name, found.std)
    return f"{format_metric(name, found.mean)} ± {deviation} ({found.n})"


def format_time(start: str) -> str:
    """Day and minute of a start, on the clock of this place."""
    try:
        return f"{datetime.fromisoformat(start).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):  # no time, or one before the year 1
        return ""


def format_size(count: int) -> str:
    """A number of bytes as people read it."""
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if units[0] in ("B", "kB") or amount >= 100 else f"{amount:.1f} {units[0]}"


def counted_names(metrics: Mapping[str, float]) -> list[str]:
    """Names that training shares with validation or test, without their stages; accuracy and loss come first."""
    trained = [name.removeprefix("train/") for name in metrics if name.startswith("train/")]
    shared = [name for name in trained if f"val/{name}" in metrics or f"test/{name}" in metrics]
    return sorted(shared, key=lambda name: {"accuracy": 0, "loss": 1}.get(name, 2))
