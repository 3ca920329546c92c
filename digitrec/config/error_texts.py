"""What an error of Hydra's means for the person who typed the settings: what came, and what was probably meant."""

import re
from collections.abc import Sequence

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from digitrec.config.composing import compose_unchecked, options_of
from digitrec.config.files import WHOLE
from digitrec.config.overrides import key_of, value_of
from digitrec.config.suggestions import suggest
from digitrec.errors import needs_extra
from digitrec.system.wording import first_line, near

EXTRAS = dict.fromkeys(("submitit_local", "submitit_slurm"), "cluster")  # which of ours brings a launcher of Hydra's
RANGE = re.compile(r"\b(interval|\w*uniform|randint)\(")  # as other sweepers of Hydra take them
SEARCH = "to search ranges of settings use python -m digitrec.tune; a sweep takes values, as in -m seed=1,2"
# Hydra's message about an option that a file of settings names in its own defaults.
_GROUP = f"(?:{'|'.join(WHOLE)})"
DEFAULTS = re.compile(
    rf"Could not find '{_GROUP}/(\w+)/|Could not override '{_GROUP}/(\w+)@"
    r"|Multiple values for (\w+)\.|^(\w+) appears more than once"
)


def explain(error: HydraException | OmegaConfBaseException, name: str, words: Sequence[str]) -> str:
    """An error that composing a primary configuration of this name with the words of a command line has raised."""
    text = str(error)
    if ranges := [word for word in words if RANGE.search(value_of(word))]:
        return f"{ranges[0]}: {SEARCH}"
    if found := DEFAULTS.search(text):
        group = next(filter(None, found.groups()))
        chosen = next((f"{word}: " for word in words if key_of(word) in WHOLE), "")
        return f"{chosen}its defaults name {group}; expected a line such as: - override /{group}: ..."
    match error:
        case MissingConfigException(missing_cfg_file=str(missing)):
            return _missing_option(missing, error, name, words)
        case OverrideParseException():
            return _unreadable(error.override)
        case ConfigCompositionException():
            return _composition_error(error, name, words)
        case _:
            return first_line(error)


def _unreadable(override: str) -> str:
    """The text of an override that Hydra's grammar does not take."""
    key, sign, value = override.partition("=")
    if not sign:
        return f"{override}: expected key=value, such as seed=1; --help lists the keys"
    if any(value.count(start) != value.count(end) for start, end in ("[]", "{}", "()")):
        return f"{override}: a bracket in it has no other half"
    return f"{override}: cannot be read; a value with spaces or signs needs quotes: '{key}=\"...\"'"


def _missing_option(missing: str, error: MissingConfigException, name: str, words: Sequence[str]) -> str:
    group, _, option = missing.rpartition("/")
    if group == "hydra/launcher" and option in EXTRAS:
        return needs_extra("this launcher", EXTRAS[option])
    options = list(error.options or (options_of(group, words) if group else ()))
    if not options:
        return first_line(error)
    hint = f"; {SEARCH}" if group == "hydra/sweeper" else near(option, options, f"{group}=")
    return f"{group}={option}: no such option{hint}; there are {', '.join(options)}"


def _composition_error(error: Exception, name: str, words: Sequence[str]) -> str:
    """The key that Hydra could not override, and the one that was probably meant."""
    if found := re.match(r"Ambiguous value for argument '(.+)'", str(error)):
        return f"{found.group(1)}: several values are a sweep, which takes -m; one value that is a list is [a,b]"
    found = re.search(r"Could not (?:override|append to|delete).*?'([^']+)'", str(error))
    if found is None:
        return " ".join(str(error).split("\n")[:2])
    key = found.group(1)
    parent, _, last = key.rpartition(".")
    cfg = _compose_most(name, words)
    node = OmegaConf.select(cfg, parent) if parent else cfg
    known = [str(sibling) for sibling in node if sibling != "_target_"] if isinstance(node, DictConfig) else []
    if last in known:
        return first_line(error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error)
    hint = suggest(key, known, OmegaConf.to_container(cfg, resolve=False))
    if not hint:
        hint = f"; known: {', '.join(known)}" if known else f"; choose an option of {parent} first: {parent}=..."
    given = [word for word in words if key_of(word) == key]
    origin = f" (from the command line: {given[0]})" if given else ""
    return f"{key}: unknown key{hint}{origin}"


def _compose_most(name: str, words: Sequence[str]) -> DictConfig:
    """The composition of all those overrides that Hydra accepts alone, for the keys beside a wrong one."""
    try:
        return compose_unchecked(name, [word for word in words if re.fullmatch(r"[a-z_/]+=\w+", word)], words)
    except (HydraException, OmegaConfBaseException):
        return compose_unchecked(name, [], words)
