"""The settings of a run, from the composition that it left in `.hydra`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML built without libyaml: seven times slower
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

from digitrec.config.overrides import key_of, value_of

BLOCKS = re.compile(r"^(?=[^\s#-])", re.MULTILINE)  # where a key of the top level begins
CHOICES = re.compile(r"^    choices:\n(?:      .*\n)+", re.MULTILINE)
# What leaves the result as it is: where files go, what is shown, how fast it runs.
CIRCUMSTANCES = re.compile(
    r"(seed|test|objective|resume|rerun|tags|note|run_dir|report|compile|hydra|logger|data\.(root|mirrors|eval_batch_size)"
    r"|trainer\.(default_root_dir|enable_model_summary|log_every_n_steps)|callbacks\.(progress|summary|trial))([./].*)?"
)


def read_settings(folder: Path) -> dict[str, Any]:
    """Settings of a run folder by their dotted names, as in `optimizer.lr`; `optimizer` itself is the option's name.

    Empty for a folder without a composition.

    Raises:
        ValueError: a file can't be read as what it should be; the message names it.
    """
    with _naming(folder):
        composed = _text(folder / ".hydra" / "config.yaml")
        if composed:
            chosen = _chosen(_text(folder / ".hydra" / "hydra.yaml"))
            return {**_composed(composed), **chosen}
        return {name: _parse(value) for name, value in read_overrides(folder).items()}


def read_overrides(folder: Path) -> dict[str, str]:
    """What was said on the command line of a run, as it was written; empty if nothing was.

    Raises:
        ValueError: the file is damaged.
    """
    with _naming(folder):
        said = _parse(_text(folder / ".hydra" / "overrides.yaml")) or []
        return {key_of(str(text)): value_of(str(text)) for text in said}


@lru_cache(maxsize=10_000)
def decides(name: str) -> bool:
    """Whether a setting, by its dotted name, can make the result another; the seed is counted as chance."""
    return CIRCUMSTANCES.fullmatch(name) is None


def spelled(value: Any) -> str:
    """A setting's value as one would write it on the command line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{','.join(spelled(part) for part in value)}]"
        case float():
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case _:
            return str(value)


def _composed(text: str) -> dict[str, Any]:
    """Settings of a whole composition.

    Runs differ in a line or two. So the text is parsed by its top-level keys, and what was parsed once is known:
    a thousand compositions take a tenth of the time.
    """
    settings: dict[str, Any] = {}
    for block in BLOCKS.split(text):
        settings |= _block(block)
    return settings


@lru_cache(maxsize=10_000)
def _block(text: str) -> Mapping[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in (_parse(text) or {}).items():
        if isinstance(value, dict):
            settings[name] = _option(value)
            settings |= flatten(value, f"{name}.")
        else:
            settings[name] = value
    return settings


@lru_cache(maxsize=1_000)
def _chosen(text: str) -> Mapping[str, str]:
    """Option of each group, from Hydra's own record; it leaves out groups of which several were chosen."""
    found = CHOICES.search(text)
    choices = _parse(found.group())["choices"] if found else {}
    return {group: option for group, option in choices.items() if option is not None and "/" not in group}


def _option(node: Mapping[str, Any]) -> str:
    """What a group's part of a composition was made from: its constructor, or the names of several."""
    if "_target_" in node:
        return str(node["_target_"]).rpartition(".")[2].lower()
    return "+".join(node) or "none"


def flatten(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings of a nested mapping by their dotted names."""
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Name the run whose settings turn out to be damaged."""
    try:
        yield
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{folder / '.hydra'}: its settings cannot be read: {' '.join(str(error).split())}") from error


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=Loader)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
