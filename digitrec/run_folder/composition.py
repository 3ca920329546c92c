"""The composition that a run folder keeps, and what of it makes two runs the same."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from digitrec.config.overrides import NOTEBOOK, as_path
from digitrec.errors import FolderTakenError
from digitrec.run_folder.record import LOCK

CONFIG = Path(".hydra/config.yaml")
CHOSEN = Path(".hydra/hydra.yaml")
SAID = Path(".hydra/overrides.yaml")
FILES = (CONFIG, CHOSEN, SAID)
NO_SETTINGS = ("resume", "rerun", "hydra", *NOTEBOOK)  # says how to run it, or what a person thinks of it


def keep_composition(cfg: DictConfig, run_dir: Path) -> None:
    """Write what was composed, and from which overrides, into `run_dir`/.hydra.

    Hydra itself would write before anybody can know whether the folder holds another run.

    Raises:
        FolderTakenError: another program has left its composition there.
    """
    if (run_dir / CHOSEN).exists() and read_composition(run_dir) is None:  # ours is written before that
        raise FolderTakenError(f"{run_dir}: its .hydra is another program's; choose another folder")
    ours = HydraConfig.get()
    (run_dir / ".hydra").mkdir(exist_ok=True)
    for name, content in zip(FILES, (cfg, {"hydra": ours}, ours.overrides.task), strict=True):
        (run_dir / name).write_text(OmegaConf.to_yaml(content), encoding="utf-8")
    if cfg.get("rerun") is not None:
        _keep_original(as_path(cfg.rerun), run_dir)


def _keep_original(original: Path, run_dir: Path) -> None:
    """Write into a run folder what was once said and chosen for the composition that it repeats."""
    try:
        said, chosen = OmegaConf.load(original / SAID), OmegaConf.load(original / CHOSEN).hydra.runtime.choices
    except (OSError, ValueError, AttributeError, YAMLError):
        return  # it goes without: everything that counts is in the configuration
    (run_dir / SAID).write_text(OmegaConf.to_yaml(said), encoding="utf-8")
    today = OmegaConf.load(run_dir / CHOSEN)
    today.hydra.runtime.choices = chosen
    (run_dir / CHOSEN).write_text(OmegaConf.to_yaml(today), encoding="utf-8")


def discard(run_dir: Path) -> None:
    """Remove what a run left that never began, and nothing else."""
    for name in (*FILES, "run.json", LOCK):
        (run_dir / name).unlink(missing_ok=True)
    if (log_file := run_dir / "run.log").is_file() and not log_file.stat().st_size:
        log_file.unlink()
    for folder in (run_dir / ".hydra", run_dir):
        with suppress(OSError):  # something of the person's is in it
            folder.rmdir()


def read_composition(run_dir: Path) -> DictConfig | None:
    """The configuration that a run was composed with; None where it is missing or damaged."""
    try:
        cfg = OmegaConf.load(run_dir / CONFIG)
    except (OSError, ValueError, YAMLError):
        return None
    return cfg if isinstance(cfg, DictConfig) and "run_dir" in cfg else None


def same_settings(one: DictConfig, other: DictConfig) -> bool:
    """Whether two compositions train the same network in the same way; tags and a note make no difference."""
    return _plain(one) == _plain(other)


def note_down(earlier: DictConfig, cfg: DictConfig) -> None:
    """Give an earlier composition the tags and the note of today, where there are some, and what it can't know of."""
    for name in (*NOTEBOOK, "rerun"):
        if cfg.get(name) or name not in earlier:  # one of an older version
            earlier[name] = cfg.get(name)


def _plain(cfg: DictConfig) -> dict[str, Any]:
    """Settings as written."""
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in NO_SETTINGS}
