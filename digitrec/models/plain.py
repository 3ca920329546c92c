"""Our networks as plain lists of layers, for readers without torch (`digitrec.recognition.networks.layers`).

Dropout is left out: a trained network needs none.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from torch import nn

from digitrec.models.classifier import DigitClassifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualBlock, ResidualCNN

Layer = dict[str, Any]  # `kind`, numbers, names of tensors, and lists of layers; nothing that JSON has not

Modules = Iterable[tuple[str, nn.Module]]  # with their names in the network


class Shape(NamedTuple):
    """Of features."""

    height: int
    width: int
    channels: int


def plain_layers(classifier: DigitClassifier) -> list[Layer] | None:
    """Layers from the normalised image to the logits; None unless it is a CNN, MLP or ResidualCNN."""
    if type(classifier) not in (CNN, MLP, ResidualCNN):
        return None
    modules = [*_children(classifier.features, "features")]
    if isinstance(classifier, ResidualCNN):
        modules.append(("", nn.AdaptiveAvgPool2d(1) if classifier.average else nn.Flatten()))
    size, channels = (int(classifier.hparams[name]) for name in ("image_size", "in_channels"))
    layers, _ = _layers([*modules, *_children(classifier.head, "head")], Shape(size, size, channels))
    return layers


def _children(sequence: Any, name: str) -> Modules:
    """Modules of a sequence; none of an identity."""
    return ((f"{name}.{child}", module) for child, module in sequence.named_children())


def _layers(modules: Modules, shape: Shape) -> tuple[list[Layer], Shape]:
    """Layers of modules in a row, and the shape of what comes out."""
    layers: list[Layer] = []
    flattened: Shape | None = None  # by torch, channels first, just before
    for name, module in modules:
        match module:
            case nn.BatchNorm2d():
                layers[-1] |= {"norm": name, "eps": module.eps}
            case nn.Flatten():
                flattened = shape
            case nn.Linear():
                layers.append({"kind": "dense", "name": name, "flattened": flattened})
                shape, flattened = Shape(1, 1, module.out_features), None
            case nn.Dropout() | nn.Identity():
                pass
            case _:
                layer, shape = _layer(name, module, shape)
                layers.append(layer)
    return layers, shape


def _layer(name: str, module: nn.Module, shape: Shape) -> tuple[Layer, Shape]:
    height, width, channels = shape
    match module:
        case nn.Conv2d(stride=(stride, _), padding=(int(padding), _), kernel_size=(kernel, _)):
            height, width = ((side + 2 * padding - kernel) // stride + 1 for side in shape[:2])
            layer = {"kind": "convolution", "name": name, "stride": stride, "padding": padding}
            return layer, Shape(height, width, module.out_channels)
        case nn.ReLU():
            return {"kind": "relu"}, shape
        case nn.MaxPool2d(kernel_size=int(size)):
            return {"kind": "max_pool", "size": size}, Shape(height // size, width // size, channels)
        case nn.AvgPool2d(ceil_mode=True, kernel_size=int(size)):
            return {"kind": "average_pool", "size": size}, Shape(-(-height // size), -(-width // size), channels)
        case nn.AdaptiveAvgPool2d(output_size=1):
            return {"kind": "average"}, Shape(1, 1, channels)
        case ResidualBlock():
            residual, after = _layers(_children(module.residual, f"{name}.residual"), shape)
            shortcut, _ = _layers(_children(module.shortcut, f"{name}.shortcut"), shape)
            return {"kind": "residual", "residual": residual, "shortcut": shortcut}, after
    raise AssertionError(f"no layer for {module}")
