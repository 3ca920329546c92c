import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from digitrec.errors import CheckpointError, UsageError
from digitrec.models.checkpoint_file import read_portable, write_portable
from digitrec.models.classifier import DigitClassifier
from digitrec.models.mlp import MLP
from digitrec.models.plain import plain_layers
from digitrec.recognition.networks.numpy import NumpyNetwork
from digitrec.recognition.networks.opening import open_network
from digitrec.recognition.networks.torch import TorchNetwork
from digitrec.weights import HANDWRITING
from tests.export.networks import NETWORKS, made
from tests.networks import checkpoint_of

IMAGES = np.random.default_rng(5).integers(0, 256, (40, 28, 28), dtype=np.uint8)


def written(model: DigitClassifier, path: Path) -> Path:
    """The network as weights that list their layers, where it has such."""
    write_portable(checkpoint_of(model), {}, path, 0.7, plain_layers(model))
    return path


@pytest.mark.parametrize("kind", [kind for kind in NETWORKS if kind != "resnet18"])
def test_without_torch_the_probabilities_are_the_same(kind: str, tmp_path: Path) -> None:
    path = written(made(kind, ("a", "b", "c")), tmp_path / "it.safetensors")
    numpy, torch = open_network(path), TorchNetwork(path)
    assert isinstance(numpy, NumpyNetwork)
    assert (numpy.class_names, numpy.threshold) == (torch.class_names, torch.threshold) == (("a", "b", "c"), 0.7)
    assert numpy(IMAGES) == pytest.approx(torch(IMAGES), abs=1e-5)
    for mine, other in zip(numpy.feature_maps(IMAGES[0]), torch.feature_maps(IMAGES[0]), strict=True):
        assert mine.name == other.name
        assert np.abs(mine.maps.astype(int) - other.maps).max() <= 1


def test_what_lists_no_layers_is_read_by_torch(tmp_path: Path) -> None:
    assert isinstance(open_network(written(made("resnet18"), tmp_path / "it.safetensors")), TorchNetwork)


@pytest.mark.mnist
def test_the_shipped_weights_give_the_same_probabilities_as_with_torch() -> None:
    from digitrec.data.datasets import load

    images = load("mnist", "test").images[:, 0].numpy()
    numpy, torch = open_network(HANDWRITING)(images), TorchNetwork(HANDWRITING)(images)
    assert np.array_equal(numpy.argmax(axis=1), torch.argmax(axis=1))
    assert np.abs(numpy - torch).max() < 1e-5, "4e-7"


Change = Callable[[list[dict[str, Any]], dict[str, Any]], object]
WRONG: dict[str, Change] = {
    "an unknown layer": lambda layers, _: layers.append({"kind": "exec"}),
    "no layer": lambda layers, _: layers.append(None),  # type: ignore[arg-type]
    "a stride of 0": lambda layers, _: layers[0].update(stride=0),
    "padding without end": lambda layers, _: layers[0].update(padding=10**9),
    "a pool of 0": lambda layers, _: layers[1].update(size=0),
    "a pool of a half": lambda layers, _: layers[1].update(size=0.5),
    "weights used twice": lambda layers, _: layers.insert(1, layers[0]),
    "weights that are not there": lambda layers, _: layers[0].update(name="features.9"),
    "no weights": lambda _, tensors: tensors.pop("head.1.weight"),
    "weights of another size": lambda _, tensors: tensors.update({"head.1.weight": tensors["head.1.weight"][:, 1:]}),
    "weights that are no numbers": lambda _, tensors: tensors["head.1.weight"].fill(np.nan),
    "a bias for one filter": lambda _, tensors: tensors.update({"features.0.bias": tensors["features.0.bias"][:1]}),
    "other classes": lambda layers, _: layers.pop(),
    "no deviation": lambda _, tensors: tensors.update(std=np.zeros((1, 1, 1), np.float32)),
    "two means": lambda _, tensors: tensors.update(mean=np.zeros((2, 1, 1), np.float32)),
    "a residual in itself": lambda layers, _: layers.append(
        {"kind": "residual", "residual": layers[:1], "shortcut": []}
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_damaged_file_is_refused_in_a_line(wrong: str, tmp_path: Path) -> None:
    path = written(made("cnn"), tmp_path / "it.safetensors")
    layers, tensors = plain_layers(made("cnn")), dict(load_file(path))
    assert layers is not None
    WRONG[wrong](layers, tensors)
    save(path, json.dumps(layers), tensors)
    with pytest.raises(
        CheckpointError, match=r"it\.safetensors: damaged, or no weights that digitrec wrote: "
    ) as error:
        open_network(path)
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, "null", '[{"kind": []}]'])
def test_layers_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    path = written(made("cnn"), tmp_path / "it.safetensors")
    save(path, text, dict(load_file(path)))
    with pytest.raises(CheckpointError, match="damaged, or no weights"):
        open_network(path)


def save(path: Path, layers: str, tensors: dict[str, Any]) -> None:
    """Write the file anew, its description unchanged."""
    about = json.dumps(read_portable(path)["digitrec"])
    save_file(tensors, path, {"digitrec": about, "card": "{}", "layers": layers})


def test_networks_for_other_images_are_refused(tmp_path: Path) -> None:
    path = written(MLP(image_size=32).eval(), tmp_path / "it.safetensors")
    with pytest.raises(UsageError, match="1 channels of 32x32 pixels, expected grey ones of 28x28"):
        open_network(path)
