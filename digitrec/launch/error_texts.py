"""What an error means for the person who typed the command: what came, and what was probably meant."""

import errno
import re
import sys
from collections.abc import Sequence

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from digitrec.config.composing import compose_unchecked
from digitrec.config.overrides import key_of
from digitrec.errors import DigitrecError, needs_extra
from digitrec.wording import first_line, near

EXTRAS = {
    "hydra/launcher/submitit_local": "cluster",
    "hydra/launcher/submitit_slurm": "cluster",
}  # which of ours brings an option of Hydra's
OUTSIDE = {  # not our doing: disks, permissions, and paths that no system takes
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP),
}


def explain(error: BaseException, config_name: str, words: Sequence[str]) -> str | None:
    """An error in words; None for one that is a fault of ours, which needs its traceback.

    Args:
        error: whatever ended the command.
        config_name: its primary configuration.
        words: its command line.
    """
    match error:
        case MissingConfigException(missing_cfg_file=str(missing)):
            return _missing_option(missing, error)
        case OverrideParseException() if "=" not in error.override:
            return f"{error.override}: expected key=value, such as seed=1; --help lists the keys"
        case OverrideParseException():
            return f"{error.override}: {first_line(error)}; a value with spaces or signs needs quotes: 'key=\"value\"'"
        case ConfigCompositionException():
            return _composition_error(error, config_name, words)
        case HydraException() | OmegaConfBaseException():
            return first_line(error)
        case DigitrecError():
            return str(error)
        case OSError() if error.errno in OUTSIDE:
            return ": ".join(str(word) for word in (error.filename, error.strerror) if word)
        case _:
            return None


def _missing_option(missing: str, error: MissingConfigException) -> str:
    if missing in EXTRAS:
        return needs_extra("this launcher", EXTRAS[missing])
    group, _, option = missing.rpartition("/")
    options = list(error.options or [])
    if not group or not options:
        return first_line(error)
    return f"{group}={option}: no such option{near(option, options, f'{group}=')}; there are {', '.join(options)}"


def _composition_error(error: Exception, config_name: str, words: Sequence[str]) -> str:
    """The key that Hydra could not override, and the one that was probably meant."""
    if found := re.match(r"Ambiguous value for argument '(.+)'", str(error)):
        return f"{found.group(1)}: several values are a sweep, which takes -m; one value that is a list is [a,b]"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    found = re.search(r"Could not (?:override|append to|delete).*?'([^']+)'", str(error))
    if found is None:
        return " ".join(str(error).split("\n")[:2])
    key = found.group(1)
    parent, _, name = key.rpartition(".")
    known = _known_keys(config_name, parent, words)
    if name in known:
        return first_line(cause)
    hint = near(name, known, f"{parent}." if parent else "") or f"; known: {', '.join(known)}"
    if parent and not known:
        hint = f"; choose an option of {parent} first: {parent}=..."
    given = [word for word in words if key_of(word) == key]
    origin = f" (from the command line: {given[0]})" if given else ""
    return f"{key}: unknown key{hint}{origin}"


def _known_keys(config_name: str, parent: str, words: Sequence[str]) -> list[str]:
    """Keys beside a wrong one, from the composition of all those overrides that Hydra accepts alone."""
    cfg = _compose_most(config_name, [word for word in words if re.fullmatch(r"[a-z_/]+=\w+", word)])
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return [str(key) for key in node if key != "_target_"] if isinstance(node, DictConfig) else []


def _compose_most(config_name: str, overrides: Sequence[str]) -> DictConfig:
    try:
        return compose_unchecked(config_name, overrides, sys.argv)
    except (HydraException, OmegaConfBaseException):
        return compose_unchecked(config_name, [], sys.argv)
