"""From the overrides of a command line to a configuration."""

from collections.abc import Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from digitrec.config.overrides import expand_home, search_path, start_anew
from digitrec.config.schema import CONF_DIR


def compose_unchecked(name: str, overrides: Sequence[str], arguments: Sequence[str] = ()) -> DictConfig:
    """The configuration that overrides make of a primary one, as Hydra composes it.

    Args:
        name: of the primary configuration, a file in conf/.
        overrides: as on a command line.
        arguments: of a command line, whose `--config-dir` counts as well.

    Raises:
        HydraException: something in them is wrong.
    """
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra.compose(name, [*start_anew([*map(expand_home, overrides)]), *search_path(overrides, arguments)])


def options_of(group: str, arguments: Sequence[str]) -> list[str]:
    """The options of a group, those in folders that a command line adds included."""
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return loader.get_group_options(group, overrides=search_path(arguments, arguments))
