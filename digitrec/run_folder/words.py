"""Metrics, times and names of settings as people read them."""

from collections.abc import Sequence

SHARES = ("accuracy", "precision", "recall", "f1")  # how names of metrics that are shares begin, after the stage


def short(names: Sequence[str]) -> dict[str, str]:
    """Heads of columns: the last part of a setting's name where no other one ends so, else all of it."""
    tails = [name.rpartition(".")[2] for name in names]
    return {name: tail if tails.count(tail) == 1 else name for name, tail in zip(names, tails, strict=True)}


def figure(name: str, value: float | None) -> str:
    """A metric as people read it: shares in percent, rates without decimals."""
    if value is None:
        return ""
    if is_share(name):
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}" if abs(value) >= 0.001 else f"{value:.4g}"


def is_share(name: str) -> bool:
    """Whether a metric is a share of images, by its name."""
    return name.rpartition("/")[2].startswith(SHARES)


def duration(seconds: float | None) -> str:
    """A length of time in one or two units."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
