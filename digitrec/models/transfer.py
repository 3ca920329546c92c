"""Start a network from the weights of another training."""

import json
from collections.abc import Sequence
from typing import Any

from digitrec.errors import UsageError
from digitrec.models.classifier import DigitClassifier, last_dense

FREE = ("num_classes", "dropout", "pretrained")  # arguments that may differ: no weight taken depends on them


def take_weights(model: DigitClassifier, source: DigitClassifier, class_names: Sequence[str]) -> None:
    """Give `model` the weights of `source`, a network of the same class and arguments.

    Where `class_names`, those of the data that `model` will see, are not `source`'s in its order, the last dense layer
    keeps the weights it has, and the confidence threshold is not copied. Dropout may differ. Mean and deviation come
    along, until `describe_data` replaces them.

    Raises:
        UsageError: another class of network, other arguments, or other classes and no last dense layer for them.
    """
    if type(source) is not type(model):
        raise UsageError(f"the checkpoint holds a {type(source).__name__}, model is {type(model).__name__}")
    for name, value in _plain(model).items():
        was = _plain(source)[name]
        if name not in FREE and value != was:
            raise UsageError(f"the checkpoint has {name}={was}, model has {value}; use model.{name}={was}")
    weights = source.state_dict()
    if tuple(class_names) == source.class_names:
        model.load_state_dict(weights)
        model.threshold = source.threshold
        return
    name, layer = last_dense(source)
    if layer is None or layer.out_features != len(source.class_names):
        raise UsageError(
            f"{type(source).__name__} has no last dense layer to renew, and the checkpoint's classes "
            f"({', '.join(source.class_names)}) are not the data's ({', '.join(class_names)})"
        )
    prefix = f"{name}."
    kept = {key: value for key, value in model.state_dict().items() if key.startswith(prefix)}
    model.load_state_dict(weights | kept)


def _plain(model: DigitClassifier) -> dict[str, str]:
    """The constructor's arguments as text: a default's tuple and a checkpoint's list are the same."""
    return {str(name): _text(value) for name, value in model.hparams.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
