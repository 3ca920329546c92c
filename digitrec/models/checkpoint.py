"""From a checkpoint file to a classifier."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digitrec.config.allowed import find_allowed
from digitrec.errors import CheckpointError, UsageError
from digitrec.models.checkpoint_file import read_checkpoint, read_content
from digitrec.models.classifier import DigitClassifier
from digitrec.system.memory import check_size
from digitrec.weights import confidence_threshold, conformal_quantile, find_checkpoint

SPARE = 2**26  # bytes that a network may take beside what its file holds: torchvision's are built with a layer more
GROWTH = 4  # weights take at most this many times their size in the file


def load_classifier(path: str | Path) -> DigitClassifier:
    """Restore a classifier, in evaluation mode on the CPU, from nothing but its checkpoint.

    Args:
        path: a .ckpt or .safetensors file, or a run folder (its best checkpoint, else its last).

    Raises:
        CheckpointError: there is none, it can't be read, is not ours, or names a network that is not allowed.
        UsageError: it is a .onnx file.
    """
    file = find_checkpoint(path)
    checkpoint = read_content(file)
    about = checkpoint.get("digitrec")
    if not isinstance(about, dict) or about.get("format") != 1:
        raise CheckpointError(f"{file}: not a digitrec checkpoint; expected one that digitrec.train wrote")
    network = _network(str(about.get("network")), file)
    try:
        arguments = _without_download(about["arguments"])
        check_size(lambda: network(**arguments), SPARE + GROWTH * file.stat().st_size)
        model = network(**arguments)
        model.load_state_dict(checkpoint["state_dict"])
        model.describe_data(about["class_names"], model.mean.flatten().tolist(), model.std.flatten().tolist())
        model.threshold = confidence_threshold(about)
        model.quantile = conformal_quantile(about)
    except UsageError as error:  # a network wrapped in it
        raise CheckpointError(f"{file}: its network {error}") from None
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: does not fit {network.__name__}: {_in_one_line(error)}") from error
    model.settings = about.get("settings", {})
    return model.eval()


def load_weights(model: DigitClassifier, file: str | Path) -> None:
    """Give a network the weights of a checkpoint of its own kind, which may be of a class outside digitrec.

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
    match read_content(last if last.is_file() else find_checkpoint(path)):
        case {"callbacks": {"History": {"epochs": [*rows]}}}:
            return rows
    return []


def _without_download(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a network whose weights the file holds: nothing is fetched, whatever the arguments are."""
    kept = {name: _without_download(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    return kept | ({"pretrained": False} if "pretrained" in kept else {})


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."


def _network(name: str, file: Path) -> Callable[..., DigitClassifier]:
    """What makes a network by its full name, from our models or a module that the person allows."""
    try:
        network = find_allowed(name, ["digitrec.models"])
    except UsageError as error:
        raise CheckpointError(f"{file}: its network {error}") from None
    former = getattr(importlib.import_module(network.__module__), "FORMER", ())
    if not (network in former or (isinstance(network, type) and issubclass(network, DigitClassifier))):
        raise CheckpointError(f"{file}: {name} is not a network")
    return network  # type: ignore[no-any-return]  # found by name
