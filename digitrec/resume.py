"""Which run `resume` means, and with which configuration it goes on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from digitrec.errors import FolderTakenError, UsageError

RUNS = Path("outputs/train")
AUTO = "auto"
CONFIG = Path(".hydra/config.yaml")
SWEEP = {"-m", "--multirun"}


def point_to_run(arguments: Sequence[str], compose: Callable[[list[str]], DictConfig]) -> list[str]:
    """A command line on which `resume` names a run folder that exists, or is absent.

    Args:
        arguments: `resume=auto` stands for the newest run with the settings of all others, if there is one.
        compose: overrides -> the configuration that they make.

    Raises:
        UsageError: the folder holds no run, or other settings are given besides.
    """
    wanted = next((text.partition("=")[2] for text in reversed(arguments) if _key(text) == "resume"), "null")
    overrides = [text for text in arguments if _is_override(text) and _key(text) != "resume"]
    if wanted == "null":
        return list(arguments)
    if SWEEP & set(arguments):  # its jobs have folders of fixed names
        if wanted != AUTO:
            raise UsageError(f"resume={wanted}: a sweep goes on with resume=auto and the hydra.sweep.dir that it had")
        return list(arguments)
    if wanted != AUTO:
        _check_alone(wanted, overrides)
        return list(arguments)
    if any(text.startswith("hydra.run.dir=") for text in overrides):  # the one folder to look at
        return list(arguments)
    flags = [text for text in arguments if not _is_override(text)]
    found = _newest_run(compose(overrides))
    return [*flags, f"resume='{found}'"] if found else [*flags, *overrides]


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+")


def _is_override(argument: str) -> bool:
    return not argument.startswith("-") and ("=" in argument or argument.startswith("~"))


def _check_alone(folder: str, overrides: Sequence[str]) -> None:
    place = Path(folder.strip("'\""))
    if not (place / "run.json").is_file():
        hint = f"; did you mean {place.parent.parent}?" if place.suffix == ".ckpt" else ""
        raise UsageError(f"resume={folder}: no run in this folder; expected one such as outputs/train/...{hint}")
    other_place = [text for text in overrides if text.startswith("hydra.run.dir=") and not _names(text, folder)]
    if others := other_place + [text for text in overrides if not text.startswith("hydra.")]:
        raise UsageError(
            f"{others[0]}: resume={folder} takes every setting from that run; leave this out, or start a run of its own"
        )


def _names(override: str, folder: str) -> bool:
    """Whether an override gives this very folder, as Lightning does when it starts further processes."""
    given, expected = (Path(text.strip("'\"")).resolve() for text in (override.partition("=")[2], folder))
    return given == expected


def _newest_run(cfg: DictConfig) -> Path | None:
    """Folder of the newest run with these settings."""
    runs = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    found = ((file.parent, _composition(file.parent)) for file in runs)
    return next((folder for folder, earlier in found if earlier is not None and _plain(earlier) == _plain(cfg)), None)


def earlier_composition(cfg: DictConfig, run_dir: Path) -> DictConfig:
    """The configuration of the run that is to go on in `run_dir`: its own, which nothing of today's may change.

    Raises:
        FolderTakenError: its settings were others, or cannot be read.
    """
    earlier = _composition(run_dir)
    if earlier is None:
        raise FolderTakenError(
            f"resume={cfg.resume}: {run_dir / CONFIG}, the run's settings, is missing or damaged; start the run anew"
        )
    if cfg.resume == AUTO and _plain(earlier) != _plain(cfg):
        raise FolderTakenError(f"resume=auto: {run_dir} holds a run with other settings; choose another folder")
    earlier.resume = cfg.resume
    return earlier


def _composition(run_dir: Path) -> DictConfig | None:
    try:
        cfg = OmegaConf.load(run_dir / CONFIG)
    except (OSError, ValueError, YAMLError):
        return None
    return cfg if isinstance(cfg, DictConfig) and "run_dir" in cfg else None


def _plain(cfg: DictConfig) -> dict[str, Any]:
    """Settings as written, without what only says how to run them."""
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in ("resume", "hydra")}
