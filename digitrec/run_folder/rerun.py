"""`rerun`: repeat a run exactly, and compare circumstances and results with the first time."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig

from digitrec.config.overrides import ANNOTATIONS, PLACE, as_path, is_sweep, overrides_except, value
from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.composition import CONFIG, read_composition, update_annotations, what_was_changed
from digitrec.run_folder.find import check_run_folder
from digitrec.run_folder.record import read_record
from digitrec.run_folder.repetition import circumstances, differing_metrics, differing_weights
from digitrec.run_folder.run import read_run

LAST = Path("checkpoints/last.ckpt")
BESIDE = ("rerun", PLACE, *ANNOTATIONS)
STARTED = ("hydra.job.name", "hydra.output_subdir")  # given by Lightning to the further processes of a training


def check_rerun(arguments: Sequence[str]) -> None:
    """Check `rerun` on a command line.

    Raises:
        UsageError: the folder holds no run that can be repeated, or other settings are given besides.
    """
    folder = value(arguments, "rerun")
    if folder is None:
        return
    if is_sweep(arguments):
        raise UsageError(f"rerun={folder}: a sweep can't repeat a run; leave out -m")
    check_run_folder("rerun", folder)
    others = overrides_except(arguments, (*BESIDE, *STARTED))
    if others:
        raise UsageError(
            f"{others[0]}: rerun={folder} takes every setting from that run; leave this out, or start a run of its own"
        )


def original_composition(cfg: DictConfig) -> DictConfig:
    """The configuration of the run that is repeated; tags and a note are today's, if there are some.

    Raises:
        UsageError: it cannot be read.
    """
    original = read_composition(as_path(cfg.rerun))
    if original is None:
        raise UsageError(f"rerun={cfg.rerun}: {CONFIG}, the run's settings, is missing or damaged")
    record = read_record(as_path(cfg.rerun))
    if changed := what_was_changed(as_path(cfg.rerun), record):
        raise UsageError(f"rerun: {changed}")
    original.resume = None
    update_annotations(original, cfg, record)
    return original


def warn_of_circumstances(original: Path, record: dict[str, Any], warn: Callable[[str], object]) -> None:
    """Note in a run's record which run it repeats, and warn of each circumstance that differs."""
    record["rerun_of"] = str(original)
    for line in circumstances(read_record(original), record):
        warn(f"rerun: {line}")


def compare_with_original(original: Path, run_dir: Path, metrics: Mapping[str, float], record: dict[str, Any]) -> str:
    """Whether a repeated run gave the same result, as text; added to the record.

    Its `rerun_identical` is true, false, or null if unknown; `rerun_differences` lists what differs.
    """
    try:
        then, now = original / LAST, run_dir / LAST
        compared = then.is_file() and now.is_file()
        differences = [
            *differing_metrics(_metrics_of(original), metrics),
            *(differing_weights(then, now) if compared else []),
        ]
    except DigitrecError as error:
        record |= {"rerun_identical": None, "rerun_differences": []}
        return f"rerun: the results cannot be compared: {error}"
    record |= {"rerun_identical": not differences, "rerun_differences": differences}
    if differences:
        return "\n".join([f"rerun: NOT identical with {original}", *(f"  {line}" for line in differences)])
    what = "every metric, every weight to the last bit" if compared else "every metric; there are no weights to compare"
    return f"rerun: identical with {original}: {what}"


def _metrics_of(original: Path) -> Mapping[str, float]:
    """Metrics of the original run.

    Raises:
        DigitrecError: it has not finished, or its metrics cannot be read.
    """
    run = read_run(original, _refuse)
    if run.status != "finished":
        raise DigitrecError(f"{original} is {run.status}, not finished")
    return run.metrics


def _refuse(line: str) -> NoReturn:
    raise DigitrecError(line)
