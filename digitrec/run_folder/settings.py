"""The settings of a run by their dotted names, as in `optimizer.lr`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import takewhile
from math import isfinite
from pathlib import Path
from typing import Any

from digitrec.config.limits import CHARACTERS
from digitrec.config.overrides import key_of, value_of
from digitrec.errors import UsageError
from digitrec.run_folder.reading import parse_yaml, unreadable
from digitrec.system.files import read_text

# What leaves the result as it is: where files go, what is shown, how fast it runs. Seed and fold count as chance.
CIRCUMSTANCES = re.compile(
    r"(seed|test|objective|metrics|resume|rerun|tags|note|run_dir|report|compile|hydra|logger"
    r"|data\.(root|mirrors|eval_batch_size|fold)"
    r"|trainer\.(default_root_dir|enable_model_summary|log_every_n_steps)|callbacks\.(progress|summary|trial))([./].*)?"
)
PLAIN_LIST = re.compile(r"(?:- \w+(?:[./@]\w+)*=(?:[\w.,/+\[\]{}-]*[\w\]}])?\n)*|\[\]\n")  # no yaml but one text a line
PART = re.compile(r"^(?=\w+:(?:\s|$))", re.MULTILINE)  # where a key of the top level begins
PART_LENGTH = 5_000  # characters: many more are not kept
WHOLE = ("&", "*", "\n---", "\n...", "\n?")  # an anchor or alias, what ends or begins a document: not to be parted
OFF = (None, False, 0)  # what a setting that an earlier version lacked counts as


def read_settings(folder: Path) -> dict[str, Any]:
    """Settings of a run from the composition in `.hydra`; `optimizer` itself is the option's name.

    Empty for a folder without a composition. run.json holds the same since 0.2, which is read many times faster.

    Raises:
        DigitrecError: a file cannot be read as what it should be; the message names it.
    """
    place = folder / ".hydra"
    composed = _composed(place / "config.yaml")
    if composed is None:
        file = place / "overrides.yaml"
        return {key_of(text): parse_yaml(f"- {value_of(text)}", file)[0] for text in read_overrides(folder)}
    return composed | _choices(place / "hydra.yaml")


def _composed(file: Path) -> dict[str, Any] | None:
    """Settings of a composition; None if it is empty or missing.

    Runs differ in a line or two: each top-level key's part of the text is parsed once, which takes a list of runs a
    quarter of the time. A text that cannot be read so, as one with anchors, is parsed as a whole.
    """
    with unreadable(file):
        try:
            text = read_text(file)
        except FileNotFoundError:
            return None
    parts = [] if len(text) > CHARACTERS or any(mark in text for mark in WHOLE) else PART.split(text)
    if parts and not parts[0] and max(map(len, parts)) <= PART_LENGTH:
        settings: dict[str, Any] = {}
        with suppress(UsageError):
            for part in parts[1:]:
                settings |= _part(part)
            return settings
    composed = parse_yaml(text, file)
    if composed is not None and not isinstance(composed, dict):
        raise UsageError(f"{file}: expected settings such as seed: 1")
    return None if composed is None else _with_options(composed)


@lru_cache(maxsize=2_000)
def _part(text: str) -> Mapping[str, Any]:
    found = parse_yaml(text, Path())
    return _with_options(found) if isinstance(found, dict) else {}


def _with_options(composed: Mapping[Any, Any]) -> dict[str, Any]:
    """Settings by their dotted names, and of each group the name of its option."""
    settings: dict[str, Any] = {}
    for name, node in composed.items():
        if isinstance(node, dict):
            settings[str(name)] = option_of(node)
        settings |= dict(flatten(node, f"{name}.") if isinstance(node, dict) else flatten({name: node}))
    return settings


def read_overrides(folder: Path) -> list[str]:
    """The overrides on the command line of a run, as written.

    Raises:
        DigitrecError: the file is damaged.
    """
    file = folder / ".hydra" / "overrides.yaml"
    with unreadable(file):
        try:
            text = read_text(file)
        except FileNotFoundError:
            return []
    if text.replace("\n", "").isprintable() and PLAIN_LIST.fullmatch(text):  # as almost all are: no need of a parser
        return [] if text == "[]\n" else [line[2:] for line in text.splitlines()]
    overrides = parse_yaml(text, file) or []
    if not isinstance(overrides, list):
        raise UsageError(f"{file}: expected a list of overrides such as - seed=1")
    return list(map(str, overrides))


@lru_cache(maxsize=10_000)
def decides(name: str) -> bool:
    """Whether a setting, by its dotted name, can change the result."""
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


def flatten(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings of a nested mapping by their dotted names; infinity, which JSON cannot hold, as a text."""
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", spelled(value) if isinstance(value, float) and not isfinite(value) else value


def option_of(node: Mapping[str, Any]) -> str:
    """What a group's part of a composition was made from: its constructor, or the names of several."""
    if "_target_" in node:
        return str(node["_target_"]).rpartition(".")[2].lower()
    return "+".join(map(str, node)) or "none"


def comparable(name: str, value: Any) -> str:
    """A value that can be compared: our classes without their module, callbacks without their order."""
    if name.endswith("_target_") and str(value).startswith("digitrec."):
        return str(value).rpartition(".")[2]
    return "+".join(sorted(value.split("+"))) if name == "callbacks" and isinstance(value, str) else repr(value)


def _choices(file: Path) -> dict[str, str]:
    """The chosen option of each group, from Hydra's own record; groups of which several were chosen are left out.

    The rest of the record, a hundred times as long, is not parsed.
    """
    try:
        with unreadable(file):
            text = read_text(file)
    except FileNotFoundError:
        return {}
    lines = takewhile(lambda line: line.startswith("      "), text.partition("\n    choices:\n")[2].splitlines())
    text = "\n".join(lines)
    choices = _part(text) if len(text) <= PART_LENGTH else parse_yaml(text, file)
    if not isinstance(choices, dict):
        return {}
    return {
        str(group): str(option) for group, option in choices.items() if option is not None and "/" not in str(group)
    }
