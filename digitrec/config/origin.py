"""Where a setting was given: on the command line, or in which line of which file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from digitrec.config.overrides import key_of


def origin(path: str) -> str:
    """Where a setting was given: ' (command line)' or ' (conf/group/option.yaml:line)', as far as it is known."""
    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    files = list(_chosen_files(hydra))
    if option := [file for file, group in files if group == path]:
        return f" ({', '.join(map(str, option))})"
    overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    for override in reversed([str(override) for override in overrides or []]):
        if key_of(override) == path:
            return f" (from the command line: {override.removeprefix('++')})"
    for file, group in files:
        line = _line_of(file, path) or _line_of(file, path.removeprefix(f"{group}."))
        if line:
            return f" ({file.parent.parent.name}/{group}/{file.name}:{line})" if group else f" ({file}:{line})"
    return ""


def _chosen_files(hydra: Any) -> Iterator[tuple[Path, str]]:
    """Every chosen option's file, the most specific first, and its group ('' for the primary configuration)."""
    roots = [Path(source.path) for source in hydra.runtime.config_sources if source.schema == "file"]
    chosen = [
        (group, option)
        for group, choice in hydra.runtime.choices.items()
        if not group.startswith("hydra/")
        for option in (choice if isinstance(choice, list) else [choice])
    ]
    chosen.sort(key=lambda item: item[0] not in ("experiment", "debug"))
    for group, option in [*chosen, ("", hydra.job.config_name)]:
        for root in roots:
            file = root / group / f"{option}.yaml"
            if file.is_file():
                yield file, group


def _line_of(file: Path, path: str) -> int | None:
    node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    line = None
    for part in path.split("."):
        if not isinstance(node, yaml.MappingNode):
            return None
        pairs = {key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        if part not in pairs:
            return None
        key, node = pairs[part]
        line = key.start_mark.line + 1
    return line
