"""The composition that a run folder keeps, and what of it makes two runs the same."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from digitrec.config.overrides import ANNOTATIONS, as_path
from digitrec.errors import FolderTakenError
from digitrec.run_folder.record import LOCK, RECORD
from digitrec.run_folder.settings import OFF, comparable, flatten, read_overrides, read_settings
from digitrec.system.files import open_regular

CONFIG = Path(".hydra/config.yaml")
HYDRA = Path(".hydra/hydra.yaml")
OVERRIDES = Path(".hydra/overrides.yaml")
FILES = (CONFIG, HYDRA, OVERRIDES)
NO_SETTINGS = ("resume", "rerun", "hydra", *ANNOTATIONS)  # how to run it, and what a person notes about it


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
    return {"settings": read_settings(run_dir), "overrides": read_overrides(run_dir)}


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
    return dict(flatten({str(name): value for name, value in node.items() if name not in NO_SETTINGS}))


def update_annotations(earlier: DictConfig, cfg: DictConfig) -> None:
    """Give an earlier composition today's tags and note, if there are any, and the entries that its version lacked."""
    for name in (*ANNOTATIONS, "rerun"):
        if cfg.get(name) or name not in earlier:
            earlier[name] = cfg.get(name)
