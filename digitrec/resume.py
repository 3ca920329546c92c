"""Which run `resume` means, and with which configuration it goes on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from digitrec.errors import UsageError

RUNS = Path("outputs/train")
AUTO = "auto"
SWEEP = {"-m", "--multirun"}


def point_to_run(arguments: Sequence[str], compose: Callable[[list[str]], DictConfig]) -> list[str]:
    """A command line on which `resume` names a run folder that exists, or is absent.

    Args:
        arguments: `resume=auto` stands for the newest run with the settings of all others, if there is one.
        compose: overrides -> the configuration that they make.

    Raises:
        UsageError: the folder holds no run, or other settings are given besides.
    """
    wanted = next((text.partition("=")[2] for text in reversed(arguments) if text.startswith("resume=")), "null")
    others = [text for text in arguments if not text.startswith("resume=")]
    if SWEEP & set(arguments):  # its jobs have folders of fixed names
        if wanted not in ("null", AUTO):
            raise UsageError(f"resume={wanted}: a sweep goes on with resume=auto and the hydra.sweep.dir that it had")
        return list(arguments)
    if wanted == "null" or (wanted == AUTO and any(text.startswith("hydra.run.dir=") for text in others)):
        return list(arguments)
    if wanted != AUTO:
        folder = Path(wanted.strip("'\""))
        if not (folder / "run.json").is_file():
            raise UsageError(f"resume={wanted}: no run in this folder; expected one such as outputs/train/...")
        settings = [text for text in others if "=" in text and not text.startswith(("-", "hydra."))]
        if settings:
            raise UsageError(
                f"{settings[0]}: resume={wanted} takes every setting from that run; leave this out, "
                "or start a run of its own"
            )
        return list(arguments)
    flags = [text for text in others if text.startswith("-")]
    cfg = compose([text for text in others if text not in flags])
    runs = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    found = next((file.parent for file in runs if _composition(file.parent) == _plain(cfg)), None)
    return [*flags, f"resume='{found}'"] if found else [*others]


def earlier_composition(cfg: DictConfig, run_dir: Path) -> DictConfig:
    """The configuration of the run that is to go on in `run_dir`: its own, which nothing of today's may change.

    Raises:
        UsageError: its settings were others, or cannot be read.
    """
    file = run_dir / ".hydra" / "config.yaml"
    if cfg.resume == AUTO and _composition(run_dir) != _plain(cfg):
        raise UsageError(f"resume=auto: {run_dir} holds a run with other settings; choose another folder")
    try:
        earlier = OmegaConf.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"resume={cfg.resume}: {file} cannot be read: {error}") from error
    assert isinstance(earlier, DictConfig)
    earlier.resume = cfg.resume
    return earlier


def _composition(run_dir: Path) -> dict[str, Any] | None:
    try:
        cfg = OmegaConf.load(run_dir / ".hydra" / "config.yaml")
    except (OSError, ValueError):
        return None
    return _plain(cfg) if isinstance(cfg, DictConfig) else None


def _plain(cfg: DictConfig) -> dict[str, Any]:
    """Settings as written, without what only says how to run them."""
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in ("resume", "hydra")}
