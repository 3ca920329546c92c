"""What may stand in yaml and on a command line, checked before torch is imported."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["compose"]


def compose(name: str, overrides: Sequence[str] = (), run_dir: str | Path | None = None) -> dict[str, Any]:
    """The settings that a command line would compose, checked: for notebooks and scripts of your own.

    Args:
        name: of the command: train, tune, evaluate or preview.
        overrides: as on its command line.
        run_dir: where its files will go; None is a new folder below outputs/python/.

    Raises:
        UsageError: something in them is wrong.
    """
    # Imported here: rooms that need other parts of the configuration do without Hydra.
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from digitrec.config.check import check
    from digitrec.config.composing import compose_unchecked
    from digitrec.config.error_texts import explain
    from digitrec.config.overrides import quote_note
    from digitrec.config.schema import SCHEMAS
    from digitrec.errors import UsageError
    from digitrec.system.wording import first_line, near

    if name not in SCHEMAS:
        raise UsageError(f"{name}: no such command{near(name, SCHEMAS)}; there are {', '.join(SCHEMAS)}")
    try:
        cfg = compose_unchecked(name, [quote_note(word) for word in overrides])
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(explain(error, name, overrides)) from error
    except ValueError as error:  # of Hydra's, for a group that is set to null
        raise UsageError(first_line(error)) from error
    cfg.run_dir = str(run_dir or _new_folder(name, cfg))
    return check(cfg, SCHEMAS[name])


def _new_folder(name: str, cfg: "DictConfig") -> str:
    """A name for a run like those of the command line."""
    from omegaconf import OmegaConf

    model, data = (str(OmegaConf.select(cfg, key) or "") for key in ("model._target_", "data.dataset"))
    words = [word for word in (model.rpartition(".")[2].lower(), data) if word] or [name]
    return f"outputs/python/{datetime.now():%Y-%m-%d_%H-%M-%S}_{'-'.join(words)}-{secrets.token_hex(2)}"
