"""The shared LightningModule and one file per network."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitrec.models.classifier import DigitClassifier
    from digitrec.models.cnn import CNN
    from digitrec.models.mlp import MLP

__all__ = ["CNN", "MLP", "DigitClassifier"]


def __getattr__(name: str) -> Any:
    """A network's class, imported on first use: a checkpoint or a configuration needs only its own."""
    if name in __all__:
        return getattr(import_module(f"{__name__}.{'classifier' if name == 'DigitClassifier' else name.lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
