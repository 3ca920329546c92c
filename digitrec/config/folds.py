"""The settings of cross-validation, in `data`."""

from collections.abc import Mapping
from typing import Any

from digitrec.errors import UsageError


def check_folds(folds: int | None, fold: int | None) -> None:
    """UsageError unless `data.folds` and `data.fold` are both given, and fit, or both left out."""
    if folds is None and fold is not None:
        raise UsageError(f"data.fold={fold}: of how many? Give data.folds too, as in data.folds=5 data.fold=0")
    if folds is not None and fold is None:
        raise UsageError(f"data.folds={folds}: which one? Give data.fold=0 to {folds - 1}, or -m data.fold=0,1,...")
    if folds is not None and fold is not None and not 0 <= fold < folds:
        raise UsageError(f"data.fold={fold}: with data.folds={folds}, expected 0 to {folds - 1}")


def reads_test(settings: Mapping[str, Any]) -> bool:
    """Whether a run reads the test images: as `test` is, and where it is null, unless it is a fold."""
    test = settings.get("test")
    return (settings.get("data") or {}).get("folds") is None if test is None else bool(test)
