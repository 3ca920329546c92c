"""Holds what Hydra builds for itself against an allow-list: its part of a configuration takes effect before our check.

An experiment file can set `hydra.callbacks` or `hydra.job_logging`, and both can name any callable. Hydra 1.3 keeps a
list of forbidden ones, which builtins.open is not on; it has no public place for a list of allowed ones.
"""

import re
from typing import Any

from hydra._internal.instantiate import _instantiate2
from hydra._internal.logging_config import HydraDictConfigurator

from digitrec.config.allowed import allowed
from digitrec.config.check import MODULES
from digitrec.config.signatures import read_signature
from digitrec.errors import UsageError

HYDRA = ("hydra._internal.core_plugins", "hydra_plugins", "digitrec.launch", *MODULES)
LAUNCHER = "hydra._internal.core_plugins.digitrec.SideBySide"  # ours, under a name that Hydra takes a plugin from
LOGGING = re.compile(r"logging\.(handlers\.)?[A-Z]\w*|sys\.(stdout|stderr)")

_resolve_target = _instantiate2._resolve_target
_resolve_logging = HydraDictConfigurator.resolve


def guard_hydra() -> None:
    """Refuse, from now on and in this process, every target and logging class outside the allow-lists."""
    _instantiate2._resolve_target = _resolve_allowed_target
    HydraDictConfigurator.resolve = _resolve_allowed_logging  # type: ignore[assignment, method-assign]


def _resolve_allowed_target(target: Any, full_key: str) -> Any:
    if isinstance(target, str) and target != LAUNCHER:
        signature = read_signature(target)
        if signature is None or not allowed(signature.module, HYDRA):
            raise UsageError(f"{full_key or 'hydra'}: {target} may not be built from configuration")
    return _resolve_target(target, full_key)


def _resolve_allowed_logging(self: HydraDictConfigurator, name: str) -> Any:
    if not LOGGING.fullmatch(name):
        raise UsageError(f"hydra logging: {name} may not be named, expected a class of the logging package")
    return _resolve_logging(self, name)
