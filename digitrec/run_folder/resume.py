"""`resume`: find the run to go on with, and its configuration."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from digitrec.config.overrides import (
    ANNOTATIONS,
    AUTO,
    PLACE,
    is_override,
    is_sweep,
    key_of,
    names_same,
    overrides_except,
    parts_of,
    value,
)
from digitrec.errors import FolderTakenError, UsageError
from digitrec.run_folder.composition import (
    CONFIG,
    read_composition,
    same_settings,
    update_annotations,
    what_was_changed,
)
from digitrec.run_folder.epochs import read_epochs
from digitrec.run_folder.find import check_run_folder
from digitrec.run_folder.record import RECORD, read_record
from digitrec.run_folder.repetition import circumstances
from digitrec.system.wording import counted, shown

RUNS = Path("outputs/train")


def point_to_run(arguments: Sequence[str], compose: Callable[[list[str]], DictConfig]) -> list[str]:
    """A command line on which `resume` names a run folder that exists, or is absent.

    Args:
        arguments: `resume=auto` stands for the newest run with the settings of all others, if there is one.
        compose: overrides -> the configuration that they make.

    Raises:
        UsageError: the folder holds no run, or other settings are given besides.
    """
    wanted = value(arguments, "resume")
    overrides = [text for text in arguments if is_override(text) and key_of(text) != "resume"]
    if wanted is None:
        return list(arguments)
    if is_sweep(arguments):
        if wanted != AUTO:
            raise UsageError(f"resume={wanted}: a sweep goes on with resume=auto and the hydra.sweep.dir that it had")
        return list(arguments)
    if wanted != AUTO:
        _check_alone(wanted, overrides)
        return list(arguments)
    if any(key_of(text) == PLACE for text in overrides):  # the one folder to look at
        return list(arguments)
    flags = [text for text in arguments if not is_override(text)]
    noted = [text for text in overrides if key_of(text) in ANNOTATIONS]
    found = _newest_run(compose(overrides))
    return [*flags, *noted, f"resume='{found}'"] if found else [*flags, *overrides]


def _check_alone(folder: str, overrides: Sequence[str]) -> None:
    check_run_folder("resume", folder)
    other_place = [text for text in overrides if key_of(text) == PLACE and not names_same(text, folder)]
    others = [text for text in overrides_except(overrides, (*ANNOTATIONS, "extend")) if not text.startswith("hydra.")]
    for text in (*other_place, *others):
        raise UsageError(
            f"{text}: resume={folder} takes every setting from that run; leave this out, or start a run of its own"
        )


def _newest_run(cfg: DictConfig) -> Path | None:
    """Folder of the newest run with these settings."""
    runs = sorted(RUNS.glob(f"*/{RECORD}"), key=lambda file: file.stat().st_mtime, reverse=True)
    found = ((file.parent, read_composition(file.parent)) for file in runs)
    return next((folder for folder, earlier in found if earlier is not None and same_settings(earlier, cfg)), None)


def earlier_composition(cfg: DictConfig, run_dir: Path) -> DictConfig:
    """The configuration of the run that is resumed in `run_dir`: its own.

    Only tags and a note of this command line replace its own.

    Raises:
        FolderTakenError: its settings were others, or cannot be read.
    """
    earlier = read_composition(run_dir)
    if earlier is None:
        raise FolderTakenError(
            f"resume={cfg.resume}: {run_dir / CONFIG}, the run's settings, is missing or damaged; start the run anew"
        )
    if cfg.resume == AUTO and not same_settings(earlier, cfg):
        raise FolderTakenError(f"resume=auto: {run_dir} holds a run with other settings; choose another folder")
    earlier.resume = cfg.resume
    record = read_record(run_dir) if (run_dir / RECORD).exists() else {}  # a study has none
    if changed := what_was_changed(run_dir, record):
        raise FolderTakenError(f"resume: {changed}")
    for name in record.keys() & set(ANNOTATIONS):
        earlier[name] = record[name]
    update_annotations(earlier, cfg, record)
    if record and cfg.resume != AUTO:
        earlier.extend = _extended(run_dir, earlier, record, parts_of(cfg.extend)) or None
    return earlier


def _extended(run_dir: Path, earlier: DictConfig, record: Mapping[str, Any], more: list[int]) -> list[int]:
    """Epochs of each part that a run is extended by, those of this command line included; once, if it is repeated.

    Raises:
        FolderTakenError: no numbers of epochs, or the run has not ended, or will not end, with a planned last epoch.
    """
    before = parts_of(earlier.extend)
    if not more or (record["status"] != "finished" and before[-len(more) :] == more):
        return before
    if not all(isinstance(part, int) and part > 0 for part in more):
        raise FolderTakenError("extend: expected a number of epochs above 0, as in extend=5")
    done, planned = len(read_epochs(run_dir)), earlier.trainer.get("max_epochs") or -1
    by_steps = planned < 0 or earlier.trainer.get("max_steps", -1) != -1
    if by_steps or (record["status"] == "finished" and done != planned + sum(before)):
        of = "" if by_steps else f" of {planned + sum(before)}"
        raise FolderTakenError(
            f"extend: {shown(run_dir)} has {counted(done, 'epoch')}{of}, and its other settings end it; start a new "
            f"run from its weights: init_from={shown(run_dir)}"
        )
    return before + more


def warn_of_changes(record: Mapping[str, Any], warn: Callable[[str], object]) -> None:
    """Warn if a run is resumed with other code or versions than it began with: its result may differ."""
    now = record["resumed"][-1]
    changed = [name for name in ("git_revision", "versions") if now[name] != record.get(name)]
    then, today = ({name: of.get(name) for name in changed} for of in (record, now))
    for line in circumstances(then, today) if changed else ():
        warn(f"resume: {line}")
