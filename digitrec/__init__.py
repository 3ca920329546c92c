"""Compose, train, compare and use networks that read handwritten digits."""

from typing import TYPE_CHECKING, Any

from digitrec.system import lean_imports

if TYPE_CHECKING:
    from digitrec.recognition.recognizer import Recognizer

__version__ = "0.1.0"
__all__ = ["Recognizer"]

lean_imports.install()  # before anything here imports Lightning


def __getattr__(name: str) -> Any:
    """`digitrec.Recognizer`, imported when it is asked for: most commands have no use for it."""
    if name == "Recognizer":
        from digitrec.recognition.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
