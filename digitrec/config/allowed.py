"""Which modules a configuration or a checkpoint may name: digitrec's own, and those in DIGITREC_ALLOW."""

import importlib
import os
import re
from collections.abc import Iterable
from typing import Any

from digitrec.config.schema import MODULES
from digitrec.config.signatures import read_signature
from digitrec.errors import UsageError

VARIABLE = "DIGITREC_ALLOW"
HYDRA = ("hydra._internal.core_plugins", "hydra_plugins", "digitrec.launch", *MODULES)  # for its own part
LAUNCHER = "hydra._internal.core_plugins.digitrec.SideBySide"  # ours, under a name that Hydra takes a plugin from
LOGGING = re.compile(r"logging\.(handlers\.)?[A-Z]\w*|sys\.(stdout|stderr)")


def allowed(name: str, ours: Iterable[str]) -> bool:
    """Whether a dotted name lies in one of our modules, or in one that DIGITREC_ALLOW names."""
    trusted = (module.strip() for module in os.environ.get(VARIABLE, "").split(","))
    return any(module and (name == module or name.startswith(f"{module}.")) for module in (*ours, *trusted))


def how_to_allow(name: str) -> str:
    """The next step for a person whose own class was refused: the narrowest module, beside those allowed already."""
    module = name.rpartition(".")[0] or name
    trusted = ",".join(filter(None, [os.environ.get(VARIABLE), module]))
    return f"If you trust it, allow its module by name: {VARIABLE}={trusted}"


def find_allowed(name: str, ours: Iterable[str]) -> Any:
    """The class or function of a dotted name, where both the name and its definition may be built.

    Raises:
        UsageError: it may not, or there is none.
    """
    module, _, attribute = name.rpartition(".")
    if not allowed(module, ours):
        raise UsageError(f"{name} is not one of ours.\n{how_to_allow(name)}")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise UsageError(f"{name} is not installed here") from None
    origin = str(getattr(found, "__module__", ""))
    if not (callable(found) and allowed(origin, ours)):
        raise UsageError(f"{name} is not one of ours.\n{how_to_allow(f'{origin}.{attribute}')}")
    return found


def check_hydra_target(target: str, key: str) -> None:
    """UsageError if Hydra's own part of a configuration may not build this."""
    if target == LAUNCHER:
        return
    signature = read_signature(target)
    if signature is None or not allowed(signature.module, HYDRA):
        raise UsageError(f"{key or 'hydra'}: {target} may not be built from configuration")


def check_hydra_logging(name: str) -> None:
    """UsageError if a logging configuration may not name this."""
    if not LOGGING.fullmatch(name):
        raise UsageError(f"hydra logging: {name} may not be named, expected a class of the logging package")
