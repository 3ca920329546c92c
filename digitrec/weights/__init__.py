"""Files of trained networks: the shipped weights, which file a path stands for, and what all of their readers share."""

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from digitrec.errors import MissingCheckpointError
from digitrec.system.wording import one_of

CHECKPOINT, SUFFIX, ONNX = ".ckpt", ".safetensors", ".onnx"
HANDWRITING = Path(__file__).parent / f"handwriting{SUFFIX}"
BY_NAME = {"handwriting": HANDWRITING}
BATCH = 250  # images that a network takes at once; the features of many more leave a processor's cache
MOST_LAYERS = 1_000  # of a network; a small file can list many more


def file_of(path: str | Path) -> Path:
    """The path, or the shipped weights of that name where no such file exists."""
    file = Path(path).expanduser()
    return file if file.exists() else BY_NAME.get(str(path), file)


def find_checkpoint(path: str | Path, formats: Sequence[str] = (CHECKPOINT, SUFFIX)) -> Path:
    """The file of a trained network: as given, the best or else last checkpoint of a run folder, or shipped weights.

    Args:
        path: of any of them.
        formats: suffixes of the files that are read, for the error.

    Raises:
        MissingCheckpointError: there is no such file.
    """
    path = file_of(path)
    places = [path / "checkpoints" / "best.ckpt", path / "checkpoints" / "last.ckpt"] if path.is_dir() else [path]
    for place in places:
        if place.is_file():
            return place
    missing = "no checkpoint in this folder" if path.is_dir() else "not a file" if path.exists() else "no such file"
    raise MissingCheckpointError(
        f"{path}: {missing}; expected a run folder such as outputs/train/..., or a {one_of(formats)} file"
    )


def confidence_threshold(about: Mapping[str, Any]) -> float | None:
    """The confidence threshold in a file's description of its network; None if it has none.

    Raises:
        ValueError: it is not a number from 0 to 1.
    """
    return _checked("threshold", about.get("threshold"))


def conformal_quantile(about: Mapping[str, Any]) -> float | None:
    """The greatest 1 - p of a class in a prediction set, likewise.

    Raises:
        ValueError: it is not a number from 0 to 1.
    """
    match about.get("calibration"):
        case {"conformal": {"quantile": quantile}}:
            return _checked("quantile", quantile)
    return None


def _checked(name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, float) and 0 <= value <= 1):
        return value
    raise ValueError(f"its {name} is {reprlib.repr(value)}, expected a number from 0 to 1")
