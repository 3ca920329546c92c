"""Which run `rerun` repeats, how its circumstances differ from those of then, and whether the result does."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig

from digitrec.config.overrides import ANNOTATIONS, PLACE, as_path, is_sweep, overrides_except, value
from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.composition import CONFIG, note_down, read_composition
from digitrec.run_folder.record import RECORD, read_record
from digitrec.run_folder.repetition import circumstances, differing_metrics, differing_weights
from digitrec.run_folder.run import read_run

LAST = Path("checkpoints/last.ckpt")
BESIDE = ("rerun", PLACE, *ANNOTATIONS)
STARTED = ("hydra.job.name", "hydra.output_subdir")  # given by Lightning to the further processes of a training


def check_rerun(arguments: Sequence[str]) -> None:
    """Hold `rerun` on a command line against what is there, and against what may stand beside it.

    Raises:
        UsageError: the folder holds no run that can be repeated, or other settings are given besides.
    """
    folder = value(arguments, "rerun")
    if folder is None:
        return
    if is_sweep(arguments):
        raise UsageError(f"rerun={folder}: a sweep can't repeat a run; leave out -m")
    place = as_path(folder)
    if not (place / RECORD).is_file():
        hint = f"; did you mean {place.parent.parent}?" if place.suffix == ".ckpt" else ""
        raise UsageError(f"rerun={folder}: no run in this folder; expected one such as outputs/train/...{hint}")
    others = overrides_except(arguments, (*BESIDE, *STARTED))
    if others:
        raise UsageError(
            f"{others[0]}: rerun={folder} takes every setting from that run; leave this out, or start a run of its own"
        )


def original_composition(cfg: DictConfig) -> DictConfig:
    """The configuration of the run that is repeated; tags and a note are today's, if there are some.

    Raises:
        UsageError: it can't be read.
    """
    original = read_composition(as_path(cfg.rerun))
    if original is None:
        raise UsageError(f"rerun={cfg.rerun}: {CONFIG}, the run's settings, is missing or damaged")
    original.resume = None
    note_down(original, cfg)
    return original


def warn_of_circumstances(original: Path, record: dict[str, Any], warn: Callable[[str], object]) -> None:
    """Note in a run's record which run it repeats, and warn of each circumstance that is another than it was then."""
    record["rerun_of"] = str(original)
    for line in circumstances(read_record(original), record):
        warn(f"rerun: {line}")


def compare_with_original(original: Path, run_dir: Path, metrics: Mapping[str, float], record: dict[str, Any]) -> str:
    """Whether a repeated run came out as the first time, in words for a person; the record gets the verdict.

    Its `rerun_identical` is true, false, or null where that can't be told; `rerun_differences` says what differs.
    """
    try:
        then, now = original / LAST, run_dir / LAST
        weighed = then.is_file() and now.is_file()
        differences = [
            *differing_metrics(_metrics_of(original), metrics),
            *(differing_weights(then, now) if weighed else []),
        ]
    except DigitrecError as error:
        record |= {"rerun_identical": None, "rerun_differences": []}
        return f"rerun: whether the result is identical can't be told: {error}"
    record |= {"rerun_identical": not differences, "rerun_differences": differences}
    if differences:
        return "\n".join([f"rerun: NOT identical with {original}", *(f"  {line}" for line in differences)])
    what = "every metric, every weight to the last bit" if weighed else "every metric; no weights were left to compare"
    return f"rerun: identical with {original}: {what}"


def _metrics_of(original: Path) -> Mapping[str, float]:
    """What came out of the run then.

    Raises:
        DigitrecError: it has not finished, or its figures can't be read.
    """
    run = read_run(original, _refuse)
    if run.status != "finished":
        raise DigitrecError(f"{original} is {run.status}, not finished")
    return run.metrics


def _refuse(line: str) -> NoReturn:
    raise DigitrecError(line)
