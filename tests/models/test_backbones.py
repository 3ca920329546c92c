import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from digitrec.config.schema import CONF_DIR
from digitrec.errors import DigitrecError
from digitrec.models.backbones import Backbone, DenseNet121, MobileNetV3Small, ResNet18, small_grey_kernels
from digitrec.models.checkpoint import load_classifier
from tests.command import QUICK, Command, only_run
from tests.networks import saved, settled

NETWORKS = [ResNet18, DenseNet121, MobileNetV3Small]
STEMS = {"resnet18": "conv1", "densenet121": "features.conv0", "mobilenet_v3_small": "features.0.0"}
POOLS = {"resnet18": "maxpool", "densenet121": "features.pool0"}
LAST = {"resnet18": "fc", "densenet121": "classifier", "mobilenet_v3_small": "classifier.3"}

every_network = pytest.mark.parametrize("network", NETWORKS)


@pytest.fixture
def images() -> Tensor:
    """Of 12x12 pixels, because these networks are large."""
    return torch.randint(256, (4, 1, 12, 12), generator=torch.Generator().manual_seed(0)).byte()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of torch.hub, and no network."""

    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def published(network: type[Backbone], hub: Path) -> dict[str, Tensor]:
    """Random weights under the name of torchvision's file, for DenseNet with its old parameter names."""
    torch.manual_seed(1)
    state: dict[str, Tensor] = get_model(network.architecture, weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): part for name, part in state.items()}
    torch.save(old, hub / file_name(network))
    return state


def file_name(network: type[Backbone]) -> str:
    return Path(get_model_weights(network.architecture).DEFAULT.url).name


# ---- layers


@every_network
def test_the_yaml_states_the_number_of_parameters(network: type[Backbone]) -> None:
    text = (CONF_DIR / "model" / f"{network.architecture}.yaml").read_text(encoding="utf-8")
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in get_model(network.architecture, num_classes=10).parameters())
        first = get_model(network.architecture).get_submodule(STEMS[network.architecture]).weight
    assert yaml.safe_load(text)["_target_"].endswith(f".{network.__name__}")
    ours = sum(parameter.numel() for parameter in network().parameters())
    assert f"{ours:,} parameters" in text
    assert ours == count - first.numel() + 9 * len(first)  # 3x3 pixels of one channel


@every_network
def test_behind_the_first_convolution_it_equals_torchvision(network: type[Backbone], images: Tensor) -> None:
    ours = settled(network(), images)
    theirs = get_model(network.architecture, num_classes=10).eval()
    name = network.architecture
    stem = next(layer for layer in ours.features.modules() if isinstance(layer, nn.Conv2d))
    theirs.set_submodule(STEMS[name], stem)
    if name in POOLS:
        theirs.set_submodule(POOLS[name], nn.Identity())
    weights = [*ours.features.state_dict().values(), *ours.head.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(ours.normalise(images)))
    assert (stem.kernel_size, stem.stride) == ((3, 3), (1, 1))


@every_network
def test_shapes_follow_the_settings(network: type[Backbone]) -> None:
    model = network(num_classes=47, in_channels=2, image_size=8).eval()
    assert model(torch.rand(2, 2, 8, 8)).shape == (2, 47)
    last = model.head[-1]
    assert isinstance(last, nn.Linear)
    assert last.out_features == 47


@every_network
def test_smaller_images_are_an_error_that_says_so(network: type[Backbone]) -> None:
    with pytest.raises(ValueError, match=f"{network.__name__} needs images of at least 8 pixels, got 7"):
        network(image_size=7)


# ---- ImageNet's weights


@every_network
def test_pretrained_takes_all_but_the_last_layer(network: type[Backbone], hub: Path) -> None:
    state = published(network, hub)
    model = network(pretrained=True, num_classes=3)
    name = network.architecture
    expected = [
        small_grey_kernels(part, 1) if key == f"{STEMS[name]}.weight" else part
        for key, part in state.items()
        if not key.startswith(f"{LAST[name]}.")
    ]
    taken = [*model.features.state_dict().values(), *list(model.head.state_dict().values())[:-2]]
    assert len(taken) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(taken, expected, strict=True))


@every_network
def test_a_pretrained_network_restores_offline(
    network: type[Backbone], hub: Path, tmp_path: Path, images: Tensor
) -> None:
    published(network, hub)
    model = settled(network(pretrained=True, dropout=0.1), images)
    saved(model, tmp_path / "network.ckpt")
    (hub / file_name(network)).unlink()
    restored = load_classifier(tmp_path / "network.ckpt")
    assert dict(restored.hparams)["dropout"] == 0.1
    assert torch.equal(restored(images), model(images))


@pytest.mark.parametrize("content", [None, b"", b"no weights", "others"], ids=str)
def test_weights_that_cannot_be_had_are_an_error_with_the_next_step(hub: Path, content: bytes | str | None) -> None:
    file = hub / file_name(ResNet18)
    if content == "others":
        torch.save({"weight": torch.zeros(1)}, file)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(DigitrecError) as caught:
        ResNet18(pretrained=True)
    message = str(caught.value)
    assert message.startswith("resnet18: no ImageNet weights (")
    assert f"use model.pretrained=false, or put {file.name} into {hub}" in message
    assert "\n" not in message
    assert "pytorch.org" not in message


@pytest.mark.parametrize("in_channels", [1, 2, 3])
def test_a_grey_picture_gets_the_answer_it_got_in_colour(in_channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    kernels, picture = torch.randn(5, 3, 3, 3, generator=generator), torch.rand(2, 1, 9, 9, generator=generator)
    colour = F.conv2d(picture.expand(-1, 3, -1, -1), kernels)
    grey = F.conv2d(picture.expand(-1, in_channels, -1, -1), small_grey_kernels(kernels, in_channels))
    torch.testing.assert_close(grey, colour)


def test_large_kernels_keep_their_pattern_and_their_answer_to_an_even_picture() -> None:
    even = torch.rand(4, 3, 1, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 7, 7)
    torch.testing.assert_close(small_grey_kernels(even, 1).sum((1, 2, 3)), even.sum((1, 2, 3)))
    edge = torch.linspace(-1, 1, 7).expand(1, 3, 7, 7)
    left, middle, right = small_grey_kernels(edge, 1)[0, 0].unbind(dim=1)
    assert (left < 0).all()
    torch.testing.assert_close(middle, torch.zeros(3))
    torch.testing.assert_close(left, -right)


# ---- the real command


@pytest.mark.slow
@every_network
def test_it_trains_and_its_run_loads(network: type[Backbone], run_train: Command, tmp_path: Path) -> None:
    run_train(*QUICK, f"model={network.architecture}", "data.limit=10", "logger=none", code=0)
    assert type(load_classifier(only_run(tmp_path))) is network


def test_offline_pretrained_is_one_line(run_train: Command, hub: Path) -> None:
    refused = run_train(*QUICK, "model=resnet18", "model.pretrained=true")
    refused.assert_refused("resnet18: no ImageNet weights", f"into {hub}", code=1)
