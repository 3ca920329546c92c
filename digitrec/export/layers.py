"""Our networks as plain lists of layers, for readers that know nothing of torch.

Features lie with channels last, (H, W, C). Batch normalisation is folded into the convolution before it, and dropout is
left out: a trained network needs neither.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digitrec.errors import UsageError
from digitrec.models.classifier import DigitClassifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualBlock, ResidualCNN

Layer = dict[str, Any]  # `kind`, numbers, tensors, and lists of layers


class Shape(NamedTuple):
    """Of features."""

    height: int
    width: int
    channels: int


def take_apart(classifier: DigitClassifier) -> list[Layer]:
    """Layers from the normalised image to the logits.

    Raises:
        UsageError: it is not one of CNN, MLP and ResidualCNN.
    """
    if type(classifier) not in (CNN, MLP, ResidualCNN):
        raise UsageError(
            f"--format web takes CNN, MLP and ResidualCNN, not {type(classifier).__name__}.\nNext: --format onnx"
        )
    modules = [*_modules(classifier.features)]
    if isinstance(classifier, ResidualCNN):
        modules.append(nn.AdaptiveAvgPool2d(1) if classifier.average else nn.Flatten())
    size, channels = (int(classifier.hparams[name]) for name in ("image_size", "in_channels"))
    layers, _ = _layers([*modules, *_modules(classifier.head)], Shape(size, size, channels))
    return layers


def run(layers: Sequence[Layer], features: Tensor) -> Tensor:
    """What a reader of the layers has to compute: normalised images (N, H, W, C) -> (N, classes)."""
    for layer in layers:
        features = _step(layer, features)
    return features.flatten(1)


def _modules(sequence: nn.Module | Tensor) -> Iterable[nn.Module]:
    assert isinstance(sequence, nn.Sequential)
    return sequence


def _layers(modules: Iterable[nn.Module], shape: Shape) -> tuple[list[Layer], Shape]:
    """Layers of modules in a row, and the shape of what comes out."""
    layers: list[Layer] = []
    flattened: Shape | None = None  # by torch, channels first, just before
    for module in modules:
        match module:
            case nn.BatchNorm2d():
                _fold(layers[-1], module)
            case nn.Flatten():
                flattened = shape
            case nn.Linear():
                layers.append(_dense(module, flattened))
                shape, flattened = Shape(1, 1, module.out_features), None
            case nn.Dropout() | nn.Identity():
                pass
            case _:
                layer, shape = _layer(module, shape)
                layers.append(layer)
    return layers, shape


def _layer(module: nn.Module, shape: Shape) -> tuple[Layer, Shape]:
    height, width, channels = shape
    match module:
        case nn.Conv2d():
            layer = _convolution(module)
            height, width = ((n + 2 * layer["padding"] - layer["kernel"]) // layer["stride"] + 1 for n in shape[:2])
            return layer, Shape(height, width, layer["filters"])
        case nn.ReLU():
            return {"kind": "relu"}, shape
        case nn.MaxPool2d():
            size = _one(module.kernel_size)
            return {"kind": "max_pool", "size": size}, Shape(height // size, width // size, channels)
        case nn.AvgPool2d(ceil_mode=True):
            size = _one(module.kernel_size)
            return {"kind": "average_pool", "size": size}, Shape(-(-height // size), -(-width // size), channels)
        case nn.AdaptiveAvgPool2d(output_size=1):
            return {"kind": "average"}, Shape(1, 1, channels)
        case ResidualBlock():
            residual, after = _layers(_modules(module.residual), shape)
            around = module.shortcut if isinstance(module.shortcut, nn.Sequential) else ()
            shortcut, _ = _layers(around, shape)
            return {"kind": "residual", "residual": residual, "shortcut": shortcut}, after
    raise AssertionError(f"no layer for {module}")


def _one(size: int | tuple[int, ...]) -> int:
    """The size of both sides."""
    return size if isinstance(size, int) else size[0]


def _convolution(module: nn.Conv2d) -> Layer:
    """Weights (filters, kernel, kernel, channels)."""
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
    return {
        "kind": "convolution",
        "filters": module.out_channels,
        "kernel": module.kernel_size[0],
        "stride": module.stride[0],
        "padding": int(module.padding[0]),
        "weight": module.weight.detach().permute(0, 2, 3, 1).double(),
        "bias": bias.detach().double(),
    }


def _fold(convolution: Layer, norm: nn.BatchNorm2d) -> None:
    """Let a convolution give what its normalisation would make of it (Jacob et al., 2018, arXiv:1712.05877)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    convolution["weight"] = convolution["weight"] * scale[:, None, None, None]
    convolution["bias"] = (convolution["bias"] - norm.running_mean.double()) * scale + norm.bias.detach().double()


def _dense(module: nn.Linear, flattened: Shape | None) -> Layer:
    """Weights (units, inputs), the inputs in the order of features with channels last."""
    weight = module.weight.detach().double()
    if flattened is not None:
        height, width, channels = flattened
        weight = weight.view(-1, channels, height, width).permute(0, 2, 3, 1).flatten(1)
    return {"kind": "dense", "units": module.out_features, "weight": weight, "bias": module.bias.detach().double()}


def _step(layer: Layer, features: Tensor) -> Tensor:
    planes = features.permute(0, 3, 1, 2)
    match layer["kind"]:
        case "convolution":
            kernels = layer["weight"].view(layer["filters"], layer["kernel"], layer["kernel"], -1).permute(0, 3, 1, 2)
            out = F.conv2d(planes, kernels, layer["bias"], layer["stride"], layer["padding"])
        case "dense":
            return F.linear(features.flatten(1), layer["weight"].view(layer["units"], -1), layer["bias"])[:, None, None]
        case "relu":
            out = planes.relu()
        case "max_pool":
            out = F.max_pool2d(planes, layer["size"])
        case "average_pool":
            out = F.avg_pool2d(planes, layer["size"], ceil_mode=True)
        case "average":
            out = planes.mean(dim=(2, 3), keepdim=True)
        case "residual":
            ways = [features, features]
            for index, way in enumerate(("residual", "shortcut")):
                for inner in layer[way]:
                    ways[index] = _step(inner, ways[index])
            return (ways[0] + ways[1]).relu()
        case kind:
            raise AssertionError(f"no layer {kind}")
    return out.permute(0, 2, 3, 1)
