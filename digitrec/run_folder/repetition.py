"""How two runs of the same configuration differ: in their circumstances and in their results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Record = Mapping[str, Any]
SPEED = "per_second"  # in the names of metrics that no two runs share
FACTS = {
    "device": "device",
    "device_name": "device",
    "threads": "threads",
    "processes": "processes",
    "precision": "precision",
    "data_checksum": "data checksum",
}
DIRTY = "-dirty"  # at the end of a revision: files differ from it


def circumstances(then: Record, now: Record) -> list[str]:
    """One line for each circumstance in which two records of runs differ; an entry that one lacks is ignored."""
    lines = [*_code(then.get("git_revision"), now.get("git_revision"))]
    before, today = (found if isinstance(found := of.get("versions"), Mapping) else {} for of in (then, now))
    if changed := [name for name in today if before.get(name, today[name]) != today[name]]:
        lines.append(_line("versions", *(", ".join(f"{n} {of[n]}" for n in changed) for of in (before, today))))
    lines += [
        _line(what, then[name], now[name])
        for name, what in FACTS.items()
        if then.get(name) is not None and now.get(name) is not None and then[name] != now[name]
    ]
    return lines


def _code(then: str | None, now: str | None) -> list[str]:
    if then != now:
        return [_line("code", then or "outside a checkout", now or "outside a checkout")]
    dirty = now is not None and now.endswith(DIRTY)
    return [f"code: uncommitted changes both times, so it may not be the same; revision {now}"] if dirty else []


def _line(what: str, then: Any, now: Any) -> str:
    return f"{what}: {then} then, {now} now"


def differing_metrics(then: Mapping[str, float | None], now: Mapping[str, float | None]) -> list[str]:
    """One line for each metric that differs, with the difference; speed is no result."""
    names = [name for name in {**then, **now} if SPEED not in name]
    before, today = ({name: _finite(metrics.get(name)) for name in names} for metrics in (then, now))
    return [_change(name, before[name], today[name]) for name in names if before[name] != today[name]]


def _finite(value: float | None) -> float | None:
    """A value as metrics.json holds it."""
    return value if value is not None and math.isfinite(value) else None


def _change(name: str, then: float | None, now: float | None) -> str:
    by = f" ({now - then:+.3g})" if then is not None and now is not None else ""
    return f"{name}: {'none' if then is None else then} then, {'none' if now is None else now} now{by}"


def differing_weights(then: Path, now: Path) -> list[str]:
    """One line about all weights of two checkpoints that are not the same to the last bit, none if all are.

    Raises:
        CheckpointError: one of them can't be read.
    """
    from digitrec.models.checkpoint_file import read_checkpoint

    before, today = (read_checkpoint(file)["state_dict"] for file in (then, now))
    if before.keys() != today.keys():
        return [f"weights: {len(before)} tensors then, {len(today)} now, of other names"]
    counts = {name: _unlike(before[name], today[name]) for name in today}
    if not any(counts.values()):
        return []
    size = sum(weights.numel() for weights in today.values())
    most = max(_distance(before[name], today[name]) for name, count in counts.items() if count)
    return [f"weights: {sum(counts.values()):,} of {size:,} values differ, by {most:.3g} at most"]


def _unlike(one: Tensor, other: Tensor) -> int:
    """How many values of two tensors are not the same to the last bit."""
    import torch

    if one.shape != other.shape or one.dtype != other.dtype:
        return max(one.numel(), other.numel(), 1)
    bits = [tensor.contiguous().reshape(-1, 1).view(torch.uint8) for tensor in (one, other)]
    return int((bits[0] != bits[1]).any(dim=1).sum())


def _distance(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return math.inf
    gaps = (one.double() - other.double()).abs()
    gaps[(one == other) | (one.isnan() & other.isnan())] = 0.0
    return float(gaps.nan_to_num(nan=math.inf, posinf=math.inf).max())
