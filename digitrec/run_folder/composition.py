"""The composition that a run folder keeps, and what of it makes two runs the same."""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from digitrec.config.folds import reads_test
from digitrec.config.overrides import ANNOTATIONS, as_path
from digitrec.errors import FolderTakenError
from digitrec.run_folder.record import LOCK, RECORD
from digitrec.run_folder.settings import OFF, comparable, flatten, read_overrides, read_settings, spelled
from digitrec.system.files import open_regular, read_text
from digitrec.system.wording import shown

CONFIG = Path(".hydra/config.yaml")
HYDRA = Path(".hydra/hydra.yaml")
OVERRIDES = Path(".hydra/overrides.yaml")
FILES = (CONFIG, HYDRA, OVERRIDES)
NO_SETTINGS = ("resume", "rerun", "hydra", "metrics", *ANNOTATIONS)  # how to run, measure and describe it


def keep_composition(cfg: DictConfig, run_dir: Path) -> dict[str, Any]:
    """Write what was composed, and from which overrides, into `run_dir`/.hydra; return it as entries of run.json.

    Hydra itself would write before it is known whether the folder holds another run.

    Raises:
        FolderTakenError: another program has left its composition there.
    """
    if (run_dir / HYDRA).exists() and read_composition(run_dir) is None:  # ours is written before that
        raise FolderTakenError(f"{run_dir}: its .hydra is another program's; choose another folder")
    ours = HydraConfig.get()
    (run_dir / ".hydra").mkdir(exist_ok=True)
    for name, content in zip(FILES, (cfg, {"hydra": ours}, ours.overrides.task), strict=True):
        (run_dir / name).write_text(OmegaConf.to_yaml(content), encoding="utf-8")
    if cfg.get("rerun") is not None:
        _keep_original(as_path(cfg.rerun), run_dir)
    return _kept(run_dir)


def keep_settings(settings: Mapping[str, Any], run_dir: Path) -> dict[str, Any]:
    """The same of settings that a program has composed, free of the folder again: the run may be moved or repeated."""
    composed = {**_free(settings, settings["run_dir"]), "run_dir": "${hydra:runtime.output_dir}"}
    (run_dir / ".hydra").mkdir(exist_ok=True)
    (run_dir / CONFIG).write_text(OmegaConf.to_yaml(composed), encoding="utf-8")
    return _kept(run_dir)


def _free(value: Any, folder: str) -> Any:
    match value:
        case Mapping():
            return {name: _free(inner, folder) for name, inner in value.items()}
        case list():
            return [_free(inner, folder) for inner in value]
        case str() if value == folder or value.startswith(f"{folder}/"):
            return f"${{run_dir}}{_literal(value.removeprefix(folder))}"
        case str():
            return _literal(value)
    return value


def _literal(text: str) -> str:
    """The text as OmegaConf reads it back without resolving anything in it."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def _kept(run_dir: Path) -> dict[str, Any]:
    return {
        "settings": read_settings(run_dir),
        "overrides": read_overrides(run_dir),
        "composition_checksum": _checksum(run_dir),
    }


def what_was_changed(run_dir: Path, record: Mapping[str, Any]) -> str:
    """What a person has changed in the composition since the run began, and what to do; empty if nothing.

    A record of a version before 0.2 has no checksum of it, and its content is taken as it is.
    """
    if record.get("composition_checksum", checksum := _checksum(run_dir)) == checksum:
        return ""
    now, then = ({**found, "extend": None} for found in (read_settings(run_dir), record.get("settings", {})))
    changed = [name for name in {**then, **now} if _plain(then.get(name)) != _plain(now.get(name))]
    named = ", ".join(f"{name} from {spelled(then.get(name))} to {spelled(now.get(name))}" for name in changed)
    place = shown(run_dir)
    return named and (
        f"{place / CONFIG} was changed after the run began: {named}.\nNext: change it back; to train longer: "
        f"resume={place} extend=EPOCHS; with other settings: a new run with init_from={place}"
    )


def _checksum(run_dir: Path) -> str:
    return hashlib.sha256(read_text(run_dir / CONFIG).encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    """A value as run.json holds it, so that a list of tuples is one of lists."""
    return json.dumps(value, default=str)


def _keep_original(original: Path, run_dir: Path) -> None:
    """Copy the overrides and the chosen options of the run that is repeated."""
    try:
        overrides = _load(original / OVERRIDES)
        choices = _load(original / HYDRA).hydra.runtime.choices
    except (OSError, ValueError, AttributeError, YAMLError):
        return  # the configuration holds all that counts
    (run_dir / OVERRIDES).write_text(OmegaConf.to_yaml(overrides), encoding="utf-8")
    hydra_config = _load(run_dir / HYDRA)
    hydra_config.hydra.runtime.choices = choices
    (run_dir / HYDRA).write_text(OmegaConf.to_yaml(hydra_config), encoding="utf-8")


def discard(run_dir: Path) -> None:
    """Remove the files of a run that never began, and nothing else."""
    for name in (*FILES, RECORD, LOCK):
        (run_dir / name).unlink(missing_ok=True)
    if (log_file := run_dir / "run.log").is_file() and not log_file.stat().st_size:
        log_file.unlink()
    for folder in (run_dir / ".hydra", run_dir):
        with suppress(OSError):  # it holds files of the user
            folder.rmdir()


def read_composition(run_dir: Path) -> DictConfig | None:
    """The configuration that a run was composed with; None where it is missing or damaged."""
    try:
        cfg = _load(run_dir / CONFIG)
    except (OSError, ValueError, YAMLError):
        return None
    return cfg if isinstance(cfg, DictConfig) and "run_dir" in cfg else None


def _load(file: Path) -> Any:
    """A yaml file; limited as `limit_configurations` has it."""
    with io.TextIOWrapper(open_regular(file), encoding="utf-8") as text:
        return OmegaConf.load(text)


def same_settings(one: DictConfig, other: DictConfig) -> bool:
    """Whether two compositions train the same network in the same way; tags and a note make no difference."""
    first, second = (_settings(cfg) for cfg in (one, other))
    names = first.keys() | second.keys()
    unlike = [name for name in names if comparable(name, first.get(name)) != comparable(name, second.get(name))]
    return all(not (name in first and name in second) and first.get(name, second.get(name)) in OFF for name in unlike)


def _settings(cfg: DictConfig) -> dict[str, Any]:
    node = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(node, dict)
    settings = {str(name): value for name, value in node.items()}
    settings["test"] = reads_test(settings)
    return dict(flatten({name: value for name, value in settings.items() if name not in NO_SETTINGS}))


def update_annotations(earlier: DictConfig, cfg: DictConfig, record: Mapping[str, Any]) -> None:
    """Give an earlier composition today's tags and note, if there are any, and the entries that its version lacked.

    Epochs that were added to the run stand in its record alone: the composition stays the one that it began with.
    """
    earlier.extend = record.get("extended", earlier.get("extend"))
    earlier.metrics = earlier.get("metrics", cfg.get("metrics"))
    for name in (*ANNOTATIONS, "rerun"):
        if cfg.get(name) or name not in earlier:
            earlier[name] = cfg.get(name)
