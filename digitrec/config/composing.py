"""From the overrides of a command line to a configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig

from digitrec.config.check import check
from digitrec.config.overrides import search_path
from digitrec.config.schema import CONF_DIR, SCHEMAS
from digitrec.errors import UsageError
from digitrec.wording import first_line


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
        return hydra.compose(name, [*overrides, *search_path(overrides, arguments)])


def compose(name: str, overrides: Sequence[str] = (), run_dir: str | Path = "outputs/python") -> dict[str, Any]:
    """The settings that a command line would compose, checked: for notebooks and scripts of your own.

    Args:
        name: of the command: train, tune, evaluate or preview.
        overrides: as on its command line.
        run_dir: where its files would go.

    Raises:
        UsageError: something in them is wrong.
    """
    try:
        cfg = compose_unchecked(name, overrides)
    except HydraException as error:
        raise UsageError(f"{' '.join(overrides)}: {first_line(error)}") from error
    cfg.run_dir = str(run_dir)
    return check(cfg, SCHEMAS[name])
