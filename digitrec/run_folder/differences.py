"""What runs have in common and where they differ."""

from collections.abc import Sequence
from typing import Any

from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import decides

EXPERIMENT = "experiment"


def differing(runs: Sequence[Run]) -> list[str]:
    """Names of the settings in which runs differ, the seed aside; what follows from another setting is left out.

    A model's own settings follow from the choice of the model, unless they differ between runs of the same model;
    whatever an experiment sets follows from the experiment. What was given on a command line stays.
    """
    runs = [run for run in runs if run.settings]
    names = dict.fromkeys(name for run in runs for name in run.settings if decides(name))
    varying = [name for name in names if len({_key(run, name) for run in runs}) > 1]
    return [name for name in varying if any(name in run.overridden for run in runs) or not _follows(name, runs)]


def recipe(run: Run) -> tuple[tuple[str, str], ...]:
    """All settings that decide a run's result; the same for runs that differ in their seeds."""
    return tuple(sorted((name, repr(value)) for name, value in run.settings.items() if decides(name)))


def unlike(a: Run, b: Run) -> dict[str, tuple[Any, Any]]:
    """Every setting in which two runs differ, the seed too; None where one lacks it."""
    names = sorted(a.settings.keys() | b.settings.keys())
    pairs = {name: (a.settings.get(name), b.settings.get(name)) for name in names}
    return {name: (x, y) for name, (x, y) in pairs.items() if x != y and (decides(name) or name == "seed")}


def _follows(name: str, runs: Sequence[Run]) -> bool:
    """Whether the experiment and the option of its group determine a setting."""
    group = name.partition(".")[0]
    causes = [cause for cause in (EXPERIMENT, group) if cause != name]
    if name == EXPERIMENT or not any(len({_key(run, cause) for run in runs}) > 1 for cause in causes):
        return False
    values: dict[tuple[str, ...], str] = {}
    for run in runs:
        value, given = _key(run, name), tuple(_key(run, cause) for cause in causes)
        if values.setdefault(given, value) != value:
            return False
    return True


def _key(run: Run, name: str) -> str:
    """A value that can be compared and counted; a missing setting counts as null."""
    return repr(run.settings.get(name))
