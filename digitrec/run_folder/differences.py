"""What runs have in common and where they differ."""

from collections.abc import Collection, Sequence
from typing import Any

from digitrec.config.overrides import TARGET
from digitrec.run_folder.ranking import data_of
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import OFF, comparable, decides

EXPERIMENT = "experiment"


def differing(runs: Sequence[Run]) -> list[str]:
    """Names of the settings in which runs differ, the seed aside; what follows from another setting is left out.

    A model's own settings follow from the choice of the model, unless they differ between runs of the same model;
    whatever an experiment sets follows from the experiment. What was given on a command line stays.
    """
    runs = [run for run in runs if run.settings]
    names = [name for name in _names(runs) if decides(name)]
    unknown = lacked(runs)
    varying = [name for name in names if name not in unknown and _varies(runs, name)]
    varying = [name for name in varying if not (name.endswith(TARGET) and name.removesuffix(TARGET) in varying)]
    return [name for name in varying if any(name in run.overridden for run in runs) or not _follows(name, runs)]


def recipe(run: Run, without: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """All settings that decide a run's result but some; the same for runs that differ in their seeds."""
    settings = sorted((name, _key(run, name)) for name in run.settings if decides(name) and name not in without)
    return (*settings, ("pictures", data_of(run))) if settings else ()


def lacked(runs: Sequence[Run]) -> set[str]:
    """Settings that some runs lack and that are off in the others: of a newer version, which make no difference."""
    names = [name for name in _names(runs) if any(name not in run.settings for run in runs)]
    return {name for name in names if all(run.settings.get(name) in OFF for run in runs)}


def unlike(*runs: Run) -> dict[str, tuple[Any, ...]]:
    """Every setting in which some runs differ, the seed too, with the value of each; None where one lacks it."""
    other = [name for name in sorted(_names(runs)) if _varies(runs, name)]
    chance = ["seed", "data.fold"] + ["data.root"] * (len({data_of(run) for run in runs}) > 1)
    shown = [name for name in other if (decides(name) or name in chance) and name not in lacked(runs)]
    return {name: tuple(run.settings.get(name) for run in runs) for name in shown}


def _names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.settings))


def _varies(runs: Sequence[Run], name: str) -> bool:
    values = [run.settings.get(name) for run in runs]
    if all(value is values[0] for value in values):  # as most are: far faster than to spell them
        return False
    return len({comparable(name, value) for value in values}) > 1


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
    return comparable(name, run.settings.get(name))
