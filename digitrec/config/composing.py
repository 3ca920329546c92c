"""From the overrides of a command line to a configuration."""

from collections.abc import Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from digitrec.config.allowed import check_hydra_logging, check_hydra_target
from digitrec.config.files import check_file, header_lines
from digitrec.config.limits import limit_configurations
from digitrec.config.overrides import expand_home, search_path
from digitrec.config.schema import CONF_DIR
from digitrec.system import patches


def set_up_hydra() -> None:
    """Have Hydra read, resolve and build, from now on and in this process, no more than our settings may ask for."""
    patches.check_hydra_targets(check_hydra_target, check_hydra_logging)
    patches.check_hydra_files(check_file, header_lines)
    limit_configurations()


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
        return hydra.compose(name, [*map(expand_home, overrides), *search_path(overrides, arguments)])


def options_of(group: str, arguments: Sequence[str]) -> list[str]:
    """The options of a group, those in folders that a command line adds included."""
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return loader.get_group_options(group, overrides=search_path(arguments, arguments))
