"""The one way from a checkpoint to a classifier."""

import importlib
from pathlib import Path
from typing import Any

from digitrec.config.allowed import allowed, how_to_allow
from digitrec.errors import CheckpointError
from digitrec.models.checkpoint_file import read_checkpoint
from digitrec.models.classifier import DigitClassifier
from digitrec.models.portable import read_portable
from digitrec.system.memory import check_size
from digitrec.weights import SUFFIX, file_of

OWN = 2**26  # bytes that a network may take beside what its file holds: torchvision's begin with a layer they lose
SPREAD = 4  # times that weights become larger when they are read, at most


def load_classifier(path: str | Path) -> DigitClassifier:
    """Restore a classifier, in evaluation mode on the CPU, from nothing but its checkpoint.

    Args:
        path: a .ckpt or .safetensors file, or a run folder (its best checkpoint, else its last).

    Raises:
        CheckpointError: there is none, it can't be read, is not ours, or names a network that is not allowed.
    """
    file = find_checkpoint(path)
    checkpoint = read_content(file)
    about = checkpoint.get("digitrec")
    if not isinstance(about, dict) or about.get("format") != 1:
        raise CheckpointError(f"{file}: not a digitrec checkpoint; expected one that digitrec.train wrote")
    network = _network(str(about.get("network")), file)
    try:
        check_size(lambda: network(**about["arguments"]), OWN + SPREAD * file.stat().st_size)
        model = network(**about["arguments"])
        model.load_state_dict(checkpoint["state_dict"])
        model.describe_data(about["class_names"], model.mean.flatten().tolist(), model.std.flatten().tolist())
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: does not fit {network.__name__}: {_in_one_line(error)}") from error
    model.settings = about.get("settings", {})
    model.threshold = _threshold(about, file)
    return model.eval()


def _threshold(about: dict[str, Any], file: Path) -> float | None:
    threshold = about.get("threshold")
    if threshold is None:
        return None
    if not isinstance(threshold, float) or not 0 <= threshold <= 1:
        raise CheckpointError(f"{file}: its threshold is {threshold!r}, expected a number from 0 to 1")
    return threshold


def read_content(file: Path) -> dict[str, Any]:
    """Content of a .ckpt or .safetensors file: `digitrec`, `state_dict` and, if it has one, `card`.

    Raises:
        CheckpointError: it can't be read.
    """
    return read_portable(file) if file.suffix == SUFFIX else read_checkpoint(file)


def load_weights(model: DigitClassifier, file: str | Path) -> None:
    """Give a network the weights of a checkpoint of its own kind, from wherever its class may come.

    Raises:
        CheckpointError: the file can't be read, or belongs to another kind of network.
    """
    try:
        model.load_state_dict(read_checkpoint(Path(file))["state_dict"])
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{file}: does not fit {type(model).__name__}: {_in_one_line(error)}") from error


def training_history(path: str | Path) -> list[dict[str, float]]:
    """One row of metrics per epoch up to a checkpoint; of a run folder, up to its last. Empty if none was kept.

    Raises:
        CheckpointError: there is no checkpoint, or it can't be read.
    """
    last = Path(path) / "checkpoints" / "last.ckpt"
    callbacks = read_checkpoint(last if last.is_file() else find_checkpoint(path)).get("callbacks", {})
    rows: list[dict[str, float]] = callbacks.get("History", {}).get("epochs", [])
    return rows


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint file, the one that stands for a run folder, or weights that come with digitrec, by their name.

    Raises:
        CheckpointError: there is no such file.
    """
    path = file_of(path)
    places = [path / "checkpoints" / "best.ckpt", path / "checkpoints" / "last.ckpt"] if path.is_dir() else [path]
    for place in places:
        if place.is_file():
            return place
    missing = "no checkpoint in this folder" if path.is_dir() else "no such file"
    raise CheckpointError(
        f"{path}: {missing}; expected a run folder such as outputs/train/..., or a .ckpt or .safetensors file"
    )


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."


def _network(name: str, file: Path) -> type[DigitClassifier]:
    """Class of a network by its full name, from our models or a module that the person allows."""
    module, _, kind = name.rpartition(".")
    if not allowed(module, ["digitrec.models"]):
        raise CheckpointError(f"{file}: its network {name} is not one of ours.\n{how_to_allow(name)}")
    try:
        network = getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError):
        raise CheckpointError(f"{file}: its network {name} is not installed here") from None
    if not (isinstance(network, type) and issubclass(network, DigitClassifier)):
        raise CheckpointError(f"{file}: {name} is not a network")
    return network
