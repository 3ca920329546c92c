"""Search for better settings and write them as an experiment: python -m digitrec.tune model=mlp."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from digitrec.config.check import check
from digitrec.config.overrides import AUTO, is_sweep, key_of, quote_note, spelled_path
from digitrec.config.schema import TuneConfig
from digitrec.errors import FolderTakenError, UsageError, needs_extra
from digitrec.launch import launch
from digitrec.run_folder.composition import keep_composition
from digitrec.run_folder.resume import earlier_composition
from digitrec.run_folder.settings import spelled
from digitrec.system.wording import near, shown, typed
from digitrec.tune.space import Dimension, as_they_are, check_values, read_space
from digitrec.tune.study_info import StudyInfo, read_study_info, write_study_info

if TYPE_CHECKING:  # Optuna takes a second to import: too long before an error about a key
    from omegaconf import DictConfig

    from digitrec.tune.study import Study

SEARCH_KEYS = {"tune", "trials", "seeds", "workers", "prune", "warmup_epochs", "baseline", "seed", "test", "resume"}
CHANGEABLE = {"trials", "workers", "resume"}  # what may change when a study is resumed
THREADS = "OMP_NUM_THREADS"
MAX_WORKERS_PER_CORE = 4  # more runs at a time for each core only make all of them slower


def main() -> None:
    """Entry point of the command line."""
    launch(_task, "tune", _prepare)


def _prepare(arguments: list[str]) -> list[str]:
    if is_sweep(arguments):
        raise UsageError("-m: a search starts its runs itself; leave this out")
    return [quote_note(argument) for argument in arguments]


def _task(cfg: DictConfig, folder: Path) -> float | None:
    if cfg.resume is None:
        if read_study_info(folder) is not None:
            place = spelled_path(shown(folder))
            raise FolderTakenError(f"{folder} holds a study already; go on with it: resume={place}")
        return _prepared(cfg, folder, StudyInfo.now(_overrides(), _flags(), _groups()))
    try:
        info = _check_same(cfg, folder)
        return _prepared(_changed(earlier_composition(cfg, folder), cfg), folder, info)
    except FolderTakenError:
        raise
    except UsageError as error:  # the files of the study stay, unlike those of a run that never began
        raise FolderTakenError(str(error)) from error


def _prepared(cfg: DictConfig, folder: Path, info: StudyInfo) -> float | None:
    """Check everything, then search."""
    settings = check(cfg, TuneConfig)
    space = read_space(settings["tune"], _of_a_run(settings), info.groups)
    check_values(space, partial(_check_setting, cfg, info.groups))
    _check_search(settings, info)
    if find_spec("optuna") is None:
        raise UsageError(needs_extra("digitrec.tune", "tune"))
    if cfg.resume is None:
        keep_composition(cfg, folder)
        write_study_info(folder, info)
    os.environ.setdefault(THREADS, str(max(1, _cores() // settings["workers"])))  # before torch is imported anywhere
    return _search(settings, space, folder, info)


def _cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _search(settings: Mapping[str, Any], space: Sequence[Dimension], folder: Path, info: StudyInfo) -> float | None:
    from digitrec.tune.display import Display
    from digitrec.tune.results import publish
    from digitrec.tune.search import Search
    from digitrec.tune.study import Study
    from digitrec.tune.worker import Worker

    names = ("seed", "prune", "warmup_epochs")
    study = Study(folder, space, metric=settings["objective"], **{name: settings[name] for name in names})
    worker = Worker(folder)
    without = SEARCH_KEYS | {turned.name for turned in space}
    before = as_they_are(space, _of_a_run(settings), info.groups)
    if settings["baseline"]:
        _begin_with(study, before)
    try:
        with worker.registered(), Display(study, settings, folder) as display:
            Search(
                study,
                worker,
                fixed=info.fixed(without),
                metric=settings["objective"],
                seeds=range(settings["seed"], settings["seed"] + settings["seeds"]),
                trials=settings["trials"],
                workers=settings["workers"],
                watcher=display,
            ).run()
    except (KeyboardInterrupt, SystemExit):
        place = shlex.quote(f"resume={spelled_path(shown(folder))}")
        print(f"go on with: {typed('tune')} {place}", file=sys.stderr)  # noqa: T201
        raise
    return publish(study, settings, info, before, without)


def _begin_with(study: Study, settings: Mapping[str, Any]) -> None:
    outside = [name for name, value in settings.items() if not study.space[name].holds(value)]
    if outside:
        value = f"{outside[0]}={spelled(settings[outside[0]])}"
        print(f"no first trial of the settings as they are: {value} is outside tune.{outside[0]}")  # noqa: T201
    else:
        study.begin_with(settings)


def _check_same(cfg: DictConfig, folder: Path) -> StudyInfo:
    """How the study began; this command may repeat its settings, but not change them."""
    info = read_study_info(folder)
    if cfg.resume == AUTO or info is None:
        with suppress(OSError):  # Hydra made it
            folder.rmdir()
        raise FolderTakenError(f"resume={cfg.resume}: no study in this folder; expected one such as outputs/tune/...")
    again = [text for text in _overrides() if key_of(text) not in CHANGEABLE]
    if again and set(again) != {text for text in info.overrides if key_of(text) not in CHANGEABLE}:
        other = next((text for text in again if text not in info.overrides), again[0])
        raise FolderTakenError(
            f"{other}: resume={cfg.resume} takes every setting but trials and workers from that study; leave this out"
        )
    return info


def _changed(earlier: DictConfig, cfg: DictConfig) -> DictConfig:
    for key in CHANGEABLE & {key_of(text) for text in _overrides()}:
        earlier[key] = cfg[key]
    return earlier


def _check_search(settings: Mapping[str, Any], info: StudyInfo) -> None:
    objective, devices = settings["objective"], settings["trainer"].get("devices", 1)
    taken_out = [text for text in info.fixed(SEARCH_KEYS) if text.startswith("~")]
    if taken_out:
        raise UsageError(f"{taken_out[0]}: a search cannot remove a setting from its experiment; give it a value")
    if settings["rerun"] is not None:
        raise UsageError(f"rerun={settings['rerun']}: a search starts new runs; leave this out")
    if not objective.startswith("val/"):
        raise UsageError(f"objective={objective}: expected a metric of validation images, such as val/accuracy")
    if settings["test"]:
        raise UsageError("test=true: a search does not read test images; leave this out")
    if not settings["data"].get("val_size"):
        raise UsageError("data.val_size=0: a search needs validation images, as in data.val_size=5000")
    if (workers := settings["workers"]) > MAX_WORKERS_PER_CORE * _cores():
        most = f"at most {MAX_WORKERS_PER_CORE} runs at a time for each core"
        raise UsageError(f"workers={workers}: expected {most}; this process has {_cores()}")
    if devices not in (1, "1", "auto"):
        raise UsageError(f"trainer.devices={spelled(devices)}: each run of a search is one process; use 1, and workers")


def _check_setting(cfg: DictConfig, groups: Mapping[str, Any], name: str, value: Any) -> None:
    """Raise UsageError if a value does not fit a setting."""
    if name in groups:
        options = GlobalHydra.instance().config_loader().get_group_options(name)
        if value not in options:
            raise UsageError(f"{name}={value}: no such option{near(str(value), options, f'{name}=')}")
        return
    changed = cfg.copy()
    parsed = OverridesParser.create().parse_override(f"{name}={spelled(value)}").value()
    OmegaConf.update(changed, name, parsed, merge=False)
    check(changed, TuneConfig)


def _of_a_run(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those of the search."""
    return {name: value for name, value in settings.items() if name not in SEARCH_KEYS}


def _overrides() -> list[str]:
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)  # each run has its ${run_dir}
    assert isinstance(overrides, list)
    return list(map(str, overrides))


def _flags() -> list[str]:
    """Folders of the user's own options, as flags."""
    sources = HydraConfig.get().runtime.config_sources
    return [f"--config-dir={Path(one.path).resolve()}" for one in sources if one.provider == "command-line"]


def _groups() -> dict[str, str | None]:
    """The chosen option of each group that a run is composed of."""
    choices = HydraConfig.get().runtime.choices
    found = GlobalHydra.instance().config_loader().list_groups("")
    return {group: choices.get(group) for group in found if group not in ("hydra", "tune")}


if __name__ == "__main__":
    main()
