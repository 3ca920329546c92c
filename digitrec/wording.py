"""How errors, paths and names are put to a person."""

import difflib
from collections.abc import Iterable
from pathlib import Path


def first_line(error: BaseException) -> str:
    """What an error of somebody else's says, without its details."""
    return str(error).partition("\n")[0]


def near(word: str, known: Iterable[str], prefix: str = "") -> str:
    """', did you mean x?' when one of the known words is close, else ''."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {prefix}{close[0]}?" if close else ""


def shown(path: Path) -> Path:
    """A path as the person would type it from where the command was given."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
