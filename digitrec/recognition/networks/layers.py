"""What networks compute, layer by layer, in numpy: for reading without torch, and to hold the web's reader against.

Features lie with channels last, (N, H, W, C).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitrec.weights import MOST_LAYERS

Floats = NDArray[np.floating[Any]]
Layer = dict[str, Any]  # `kind`, numbers, arrays, and lists of layers
See = Callable[[str, Floats], None]

LARGEST = 64  # pixels: a stride, or a square that is pooled


def filled(layers: Sequence[Layer], tensors: Mapping[str, Floats]) -> list[Layer]:
    """Layers as `digitrec.models.plain` lists them, with their weights.

    Batch normalisation is folded into the convolution before it (Jacob et al., 2018, arXiv:1712.05877).

    Args:
        layers: of a file of unknown origin.
        tensors: by their names in torch's state dict; each can be used once.

    Raises:
        KeyError, TypeError, ValueError: they are no such layers, or don't fit the tensors.
    """
    if (count := _count(layers)) > MOST_LAYERS:
        raise ValueError(f"it lists {count:,} layers, expected {MOST_LAYERS:,} at most")
    left = dict(tensors)
    return [_filled(layer, left) for layer in layers]


def _count(layers: Sequence[Layer]) -> int:
    """Number of layers, those within residual ones included."""
    inner = [layer.get(way, ()) for layer in layers for way in ("residual", "shortcut")]
    return len(layers) + sum(_count(found) for found in inner if isinstance(found, list))


def run(layers: Sequence[Layer], features: Floats, see: See = lambda _name, _features: None) -> Floats:
    """Normalised images (N, H, W, C) -> logits (N, classes); `see` gets name and features of each convolution."""
    return _through(layers, features, see).reshape(len(features), -1)


def _through(layers: Sequence[Layer], features: Floats, see: See) -> Floats:
    for layer in layers:
        features = _step(layer, features, see)
    return features


def _filled(layer: Layer, tensors: dict[str, Floats]) -> Layer:
    match layer:
        case {"kind": "convolution"}:
            return _convolution(layer, tensors)
        case {"kind": "dense"}:
            return _dense(layer, tensors)
        case {"kind": "max_pool" | "average_pool" as kind}:
            return {"kind": kind, "size": _number(layer, "size", 1)}
        case {"kind": "relu" | "average" as kind}:
            return {"kind": kind}
        case {"kind": "residual", "residual": [*around], "shortcut": [*along]}:
            ways = {"residual": around, "shortcut": along}
            return {"kind": "residual"} | {way: [_filled(inner, tensors) for inner in ways[way]] for way in ways}
    raise ValueError(f"unknown layer: {layer!s:.60}")


def _number(layer: Layer, name: str, least: int, most: int = LARGEST) -> int:
    number = layer[name]
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"{layer['kind']}: its {name} is {number!r:.20}, expected a whole number, {least} to {most}")
    return number


def _convolution(layer: Layer, tensors: dict[str, Floats]) -> Layer:
    """Weights (filters, kernel, kernel, channels)."""
    name = layer["name"]
    weight = tensors.pop(f"{name}.weight").astype(float)
    filters, _, kernel, _ = weight.shape
    bias = tensors.pop(f"{name}.bias", np.zeros(filters)).astype(float)
    if "norm" in layer:
        scale, shift = _normalisation(layer["norm"], float(layer["eps"]), tensors)
        weight, bias = weight * scale[:, None, None, None], bias * scale + shift
    numbers = {
        "kernel": kernel,
        "stride": _number(layer, "stride", 1),
        "padding": _number(layer, "padding", 0, kernel // 2),
    }
    return {
        "kind": "convolution",
        "name": name,
        "filters": filters,
        **numbers,
        "weight": weight.transpose(0, 2, 3, 1).reshape(filters, kernel, kernel, -1).astype(np.float32),
        "bias": bias.reshape(filters).astype(np.float32),
    }


def _normalisation(name: str, eps: float, tensors: dict[str, Floats]) -> tuple[Floats, Floats]:
    """What batch normalisation multiplies by, and what it adds."""
    mean, variance, weight, bias = (
        tensors.pop(f"{name}.{part}").astype(float) for part in ("running_mean", "running_var", "weight", "bias")
    )
    scale = weight / np.sqrt(variance + eps)
    return scale, bias - mean * scale


def _dense(layer: Layer, tensors: dict[str, Floats]) -> Layer:
    """Weights (units, inputs), the inputs in the order of features with channels last."""
    weight = tensors.pop(f"{layer['name']}.weight")
    units = len(weight)
    if layer["flattened"] is not None:
        height, width, channels = layer["flattened"]
        weight = weight.reshape(units, channels, height, width).transpose(0, 2, 3, 1).reshape(units, -1)
    bias = tensors.pop(f"{layer['name']}.bias").reshape(units)
    return {"kind": "dense", "units": units, "weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def _step(layer: Layer, features: Floats, see: See) -> Floats:
    match layer["kind"]:
        case "convolution":
            convolved = _convolved(layer, features)
            see(layer["name"], convolved)
            return convolved
        case "dense":
            weight = layer["weight"].reshape(layer["units"], -1)
            dense: Floats = features.reshape(len(features), -1) @ weight.T + layer["bias"]
            return dense[:, None, None]
        case "relu":
            return np.maximum(features, 0)
        case "max_pool":
            return _max_pooled(features, layer["size"])
        case "average_pool":
            return _average_pooled(features, layer["size"])
        case "average":
            mean: Floats = features.mean(axis=(1, 2), keepdims=True)
            return mean
        case "residual":
            along, around = (_through(layer[way], features, see) for way in ("residual", "shortcut"))
            return np.maximum(along + around, 0)
        case kind:
            raise AssertionError(f"no layer {kind}")


def _convolved(layer: Layer, features: Floats) -> Floats:
    kernel, stride, padding = (layer[name] for name in ("kernel", "stride", "padding"))
    if padding:
        features = np.pad(features, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(features, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    count, height, width = windows.shape[:3]
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(count * height * width, -1)
    convolved: Floats = columns @ layer["weight"].reshape(layer["filters"], -1).T
    convolved += layer["bias"]
    return convolved.reshape(count, height, width, -1)


def _max_pooled(features: Floats, size: int) -> Floats:
    """Greatest of each square, what fills none left out; slices take less time than a maximum over axes."""
    height, width = (side // size * size for side in features.shape[1:3])
    tall = reduce(np.maximum, [features[:, start:height:size] for start in range(size)])
    return reduce(np.maximum, [tall[:, :, start:width:size] for start in range(size)])


def _average_pooled(features: Floats, size: int) -> Floats:
    """Mean of each square, at the border of what is there of it."""
    height, width = features.shape[1:3]
    rows, columns = np.arange(0, height, size), np.arange(0, width, size)
    sums = np.add.reduceat(np.add.reduceat(features, rows, axis=1), columns, axis=2)
    counts = np.outer(np.diff(rows, append=height), np.diff(columns, append=width)).astype(features.dtype)
    return sums / counts[:, :, None]
