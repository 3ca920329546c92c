"""What may stand in yaml and on a command line, checked before torch is imported."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitrec.config.composing import compose

__all__ = ["compose"]


def __getattr__(name: str) -> Any:
    """Import `compose` on first use: rooms that need other parts of the configuration do without Hydra."""
    if name == "compose":
        from digitrec.config.composing import compose

        return compose
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
