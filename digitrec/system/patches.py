"""Changes to other libraries while a program runs, each with its reason."""

from functools import cache
from typing import Any


def list_groups_quickly() -> None:
    """Let Hydra's help copy its repository once, not once per group: a third of its time (hydra-core 1.3.8)."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    name = "_parse_overrides_and_create_caching_repo"
    parse = getattr(ConfigLoaderImpl, name)

    @cache
    def once(self: ConfigLoaderImpl, config_name: str | None, overrides: tuple[str, ...]) -> Any:
        return parse(self, config_name, list(overrides))

    setattr(ConfigLoaderImpl, name, lambda self, config_name, overrides: once(self, config_name, tuple(overrides)))
