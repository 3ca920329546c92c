"""Which modules a configuration or a checkpoint may name: ours, and those that the person trusts in so many words."""

import os
from collections.abc import Iterable

VARIABLE = "DIGITREC_ALLOW"


def allowed(name: str, ours: Iterable[str]) -> bool:
    """Whether a dotted name lies in one of our modules, or in one that the person names in DIGITREC_ALLOW."""
    trusted = (module.strip() for module in os.environ.get(VARIABLE, "").split(","))
    return any(module and (name == module or name.startswith(f"{module}.")) for module in (*ours, *trusted))


def how_to_allow(name: str) -> str:
    """The next step for a person whose own class was refused."""
    return f"If you trust it, allow its module by name: {VARIABLE}={name.partition('.')[0]}"
