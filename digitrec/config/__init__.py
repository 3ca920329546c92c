"""What may stand in yaml and on a command line, checked before torch is imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["compose"]


def compose(name: str, overrides: Sequence[str] = (), run_dir: str | Path = "outputs/python") -> dict[str, Any]:
    """The settings that a command line would compose, checked: for notebooks and scripts of your own.

    Args:
        name: of the command: train, tune, evaluate or preview.
        overrides: as on its command line.
        run_dir: where its files would go.

    Raises:
        UsageError: something in them is wrong.
    """
    # Imported here: rooms that need other parts of the configuration do without Hydra.
    from hydra.errors import HydraException

    from digitrec.config.check import check
    from digitrec.config.composing import compose_unchecked
    from digitrec.config.error_texts import explain
    from digitrec.config.schema import SCHEMAS
    from digitrec.errors import UsageError
    from digitrec.wording import near

    if name not in SCHEMAS:
        raise UsageError(f"{name}: no such command{near(name, SCHEMAS)}; there are {', '.join(SCHEMAS)}")
    try:
        cfg = compose_unchecked(name, overrides)
    except HydraException as error:
        raise UsageError(explain(error, name, overrides)) from error
    cfg.run_dir = str(run_dir)
    return check(cfg, SCHEMAS[name])
