"""Which modules a configuration or a checkpoint may name: digitrec's own, and those in DIGITREC_ALLOW."""

import os
import re
from collections.abc import Iterable

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
    """The next step for a person whose own class was refused."""
    return f"If you trust it, allow its module by name: {VARIABLE}={name.partition('.')[0]}"


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
