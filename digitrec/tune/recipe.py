"""The best settings as an experiment that digitrec.train takes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from digitrec.run_folder.settings import spelled

FOLDER = "conf"  # of the study's, for --config-dir
NAME = "best"


def write_recipe(
    folder: Path, notes: Sequence[str], fixed: Sequence[str], found: Mapping[str, Any], groups: Mapping[str, Any]
) -> Path:
    """Write the settings of a trial as an experiment file.

    Args:
        folder: of the study.
        notes: paragraphs of its comment.
        fixed: arguments that every run had, none of which takes a setting out.
        found: what the trial turned, values spelled as on the command line where they are lists.
        groups: names of groups of options.

    Returns:
        path of the file, `conf/experiment/best.yaml` in the folder.
    """
    parser = OverridesParser.create()
    given = [parser.parse_override(text) for text in fixed if not text.startswith("-")]
    turned = [parser.parse_override(f"{name}={spelled(value)}") for name, value in found.items()]
    content: dict[str, Any] = {}
    if defaults := list(_defaults([*given, *turned], groups)):
        content["defaults"] = [*defaults, "_self_"]
    for one in [*given, *turned]:
        if not _is_choice(one, groups):
            _put(content, one.key_or_group.split("."), _plain(one.value()))
    file = folder / FOLDER / "experiment" / f"{NAME}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    comment = "".join(f"# {line}\n" for note in notes for line in note.splitlines())
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    file.write_text(f"# @package _global_\n{comment}{text}", encoding="utf-8")
    return file


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line, as in conf/; numbers that every reader of yaml takes as numbers."""


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    flat = not any(isinstance(value, dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flat)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    text = repr(value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", re.sub(r"^(-?\d+)e", r"\1.0e", text))


_Dumper.add_representer(list, _list)
_Dumper.add_representer(float, _number)


def _defaults(overrides: Sequence[Override], groups: Mapping[str, Any]) -> Iterator[Any]:
    """The chosen options; another experiment comes first, for this one to build on."""
    chosen = [one for one in overrides if _is_choice(one, groups)]
    for one in sorted(chosen, key=lambda one: one.key_or_group != "experiment"):
        value = _plain(one.value())
        if one.key_or_group == "experiment":
            yield from value if isinstance(value, list) else [value]
        else:
            yield {f"override /{one.key_or_group}": value}


def _is_choice(one: Override, groups: Mapping[str, Any]) -> bool:
    return one.key_or_group in groups


def _plain(value: Any) -> Any:
    """The value of an override, quoted texts as plain ones."""
    match value:
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        content = content.setdefault(part, {})
    content[path[-1]] = value
