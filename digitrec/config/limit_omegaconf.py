"""Hold OmegaConf to the limits of configurations; apart from them, as readers of run folders do without OmegaConf."""

from typing import Any

import yaml

from digitrec.config.limits import limited_loader
from digitrec.errors import UsageError
from digitrec.system import patches
from digitrec.system.terminal import expand_home

FOLDERS = ("dir", "dirpath")  # how keys of folders end
INTERPOLATIONS = 2_000  # in one job
_interpolations = 0


def limit_configurations() -> None:
    """Refuse, from now on and in this process, what no configuration needs; UsageError names file or key.

    Called again for each job: the count of interpolations starts anew.
    """
    global _interpolations
    _interpolations = 0
    patches.limit_omegaconf(_loader, _count_interpolation)


def _loader(base: type[yaml.SafeLoader]) -> type[yaml.SafeLoader]:
    """A limited loader in which `~/` at the start of a folder is the person's home, as on the command line."""

    class HomeLoader(limited_loader(base)):  # type: ignore[misc]
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            for key, value in node.value:
                if str(key.value).endswith(FOLDERS) and isinstance(value, yaml.ScalarNode):
                    value.value = expand_home(value.value) if value.value.startswith("~/") else value.value
            return super().construct_mapping(node, deep)

    return HomeLoader


def _count_interpolation() -> None:
    global _interpolations
    _interpolations += 1
    if _interpolations > INTERPOLATIONS:
        raise UsageError(f"interpolations that stand for each other more than {INTERPOLATIONS:,} times")
