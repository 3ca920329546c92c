"""Compose, train, compare and use networks that read handwritten digits.

The public names: `compose` settings, `train.train` a model, `load_classifier`, `Recognizer`, and the classes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from digitrec.system import lean_imports

if TYPE_CHECKING:
    from digitrec import train
    from digitrec.config import compose
    from digitrec.data.datamodule import DigitDataModule
    from digitrec.models.checkpoint import load_classifier
    from digitrec.models.classifier import DigitClassifier
    from digitrec.models.cnn import CNN
    from digitrec.models.mlp import MLP
    from digitrec.recognition.recognizer import Recognizer

__version__ = "0.1.0"
__all__ = ["CNN", "MLP", "DigitClassifier", "DigitDataModule", "Recognizer", "compose", "load_classifier", "train"]

MODULES = {
    "CNN": "digitrec.models.cnn",
    "MLP": "digitrec.models.mlp",
    "DigitClassifier": "digitrec.models.classifier",
    "DigitDataModule": "digitrec.data.datamodule",
    "Recognizer": "digitrec.recognition.recognizer",
    "compose": "digitrec.config",
    "load_classifier": "digitrec.models.checkpoint",
}

lean_imports.install()  # before anything here imports Lightning


def __getattr__(name: str) -> Any:
    """A public name, imported on first use: most commands need few of them, and torch takes seconds."""
    if name in MODULES:
        return getattr(import_module(MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
