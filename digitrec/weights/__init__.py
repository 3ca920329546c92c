"""Weights that come with digitrec, and the names by which a command takes them."""

from pathlib import Path

SUFFIX = ".safetensors"
HANDWRITING = Path(__file__).parent / f"handwriting{SUFFIX}"
BY_NAME = {"handwriting": HANDWRITING}


def file_of(path: str | Path) -> Path:
    """The file that is meant: weights that come with digitrec by their name, unless something here is called so."""
    return Path(path) if Path(path).exists() else BY_NAME.get(str(path), Path(path))
