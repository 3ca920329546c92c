"""`--help` with the comments that stand beside the keys in conf/."""

import functools
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from digitrec.config.schema import CONF_DIR

WIDTH = 80
KEY = re.compile(r"( *)([A-Za-z_]\w*):(?: |$)")
GROUP = re.compile(r"^  - (?:override )?/?(\w+)(?:@[\w.]+)?:", re.MULTILINE)  # in the list of defaults
COMMENT = re.compile(r"\s#\s+(.+)$")


def keep_comments_in_help(config_name: str) -> None:
    """Let Hydra's help of a command show the comments of its files (hydra-core 1.3.8 composes without them)."""
    from hydra._internal.hydra import Hydra
    from hydra.core.hydra_config import HydraConfig

    get_help = inspect.unwrap(Hydra.get_help)  # the command before, in the same process, had other files

    @functools.wraps(get_help)
    def with_comments(self: Hydra, help_cfg: DictConfig, cfg: DictConfig, args_parser: Any, resolve: bool) -> str:
        plain = OmegaConf.to_yaml(cfg, resolve=resolve)
        comments = _comments(config_name, HydraConfig.get().runtime.choices)
        text: str = get_help(self, help_cfg, cfg, args_parser, resolve)
        return _without_other_groups(text, config_name).replace(plain, commented(plain, comments))

    Hydra.get_help = with_comments  # type: ignore[method-assign]


def commented(text: str, comments: Mapping[str, str]) -> str:
    """Yaml with comments by dotted keys, beside the key if 80 columns hold both, else above it."""
    lines: list[str] = []
    for line, key in _keyed(text):
        comment = comments.get(key, "")
        beside = [line] if not comment else [f"{line:<28}  # {comment}", f"{line}  # {comment}"]
        if fitting := [one for one in beside if len(one) <= WIDTH or not comment]:
            lines.append(fitting[0])
            continue
        indent = " " * (len(line) - len(line.lstrip())) + "# "
        lines += [*textwrap.wrap(comment, WIDTH, initial_indent=indent, subsequent_indent=indent), line]
    return "\n".join(lines) + "\n"


def _without_other_groups(text: str, config_name: str) -> str:
    """Leave out the groups in conf/ that this command does not take."""
    files = [CONF_DIR / f"{name}.yaml" for name in _primaries(config_name)]
    taken = {group for file in files for group in GROUP.findall(file.read_text(encoding="utf-8"))}
    others = {folder.name for folder in CONF_DIR.iterdir() if folder.is_dir()} - taken
    return "".join(line for line in text.splitlines(keepends=True) if line.partition(": ")[0] not in others)


def _primaries(config_name: str) -> tuple[str, ...]:
    return ("train", "tune") if config_name == "tune" else (config_name,)


def _comments(config_name: str, choices: Mapping[str, Any]) -> dict[str, str]:
    """Comments of the command's own files and of the chosen options, by dotted keys."""
    found: dict[str, str] = {}
    for name in _primaries(config_name):
        found |= _comments_in(CONF_DIR / f"{name}.yaml", "")
    for group in sorted(folder.name for folder in CONF_DIR.iterdir() if folder.is_dir() and folder.name != "hydra"):
        # Hydra does not note which options a list has chosen: any may be among them
        for file in sorted((CONF_DIR / group).glob(f"{choices[group] or ''}.yaml" if group in choices else "*.yaml")):
            found = _comments_in(file, group) | found
    return found


def _comments_in(file: Path, group: str) -> dict[str, str]:
    text = file.read_text(encoding="utf-8")
    prefix = "" if not group or "@package _global_" in text else f"{group}."
    return {f"{prefix}{key}": match[1] for line, key in _keyed(text) if key and (match := COMMENT.search(line))}


def _keyed(text: str) -> Iterator[tuple[str, str]]:
    """Lines of a yaml text, each with the dotted key that it begins, or with ''."""
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = KEY.match(line)
        if match:
            indent = len(match[1])
            parents = [parent for parent in parents if parent[0] < indent]
            parents.append((indent, match[2]))
        yield line, ".".join(name for _, name in parents) if match else ""
