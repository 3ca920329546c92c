"""The composition that an earlier run left in its folder, and what of it makes two runs the same."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from digitrec.commandline import NOTEBOOK

CONFIG = Path(".hydra/config.yaml")
CHOSEN = Path(".hydra/hydra.yaml")
SAID = Path(".hydra/overrides.yaml")
NO_SETTINGS = ("resume", "rerun", "hydra", *NOTEBOOK)  # says how to run it, or what a person thinks of it


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
