import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from digitrec.config.schema import CONF_DIR
from digitrec.errors import DigitrecError, UsageError
from digitrec.models.backbones import FORMER, Backbone, ResNet18, grey_kernels
from digitrec.models.checkpoint import load_classifier
from tests.command import QUICK, Command, only_run
from tests.networks import checkpoint_of, saved, settled

NETWORKS = ["resnet18", "densenet121", "mobilenet_v3_small"]
STEMS = {"resnet18": "conv1", "densenet121": "features.conv0", "mobilenet_v3_small": "features.0.0"}
POOLS = {"resnet18": "maxpool", "densenet121": "features.pool0", "mobilenet_v3_small": "none"}
LAST = {"resnet18": "fc", "densenet121": "classifier", "mobilenet_v3_small": "classifier.3"}

every_network = pytest.mark.parametrize("name", NETWORKS)


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


def published(name: str, hub: Path) -> dict[str, Tensor]:
    """Random weights under the name of torchvision's file, for DenseNet with its old parameter names."""
    torch.manual_seed(1)
    state: dict[str, Tensor] = get_model(name, weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): part for name, part in state.items()}
    torch.save(old, hub / file_name(name))
    return state


def file_name(name: str) -> str:
    return Path(get_model_weights(name).DEFAULT.url).name


# ---- layers


@every_network
def test_the_yaml_states_the_number_of_parameters(name: str) -> None:
    text = (CONF_DIR / "model" / f"{name}.yaml").read_text(encoding="utf-8")
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in get_model(name, num_classes=10).parameters())
        first = get_model(name).get_submodule(STEMS[name]).weight
    assert yaml.safe_load(text)["name"] == name
    ours = sum(parameter.numel() for parameter in Backbone(name=name).parameters())
    assert f"{ours:,} parameters" in text
    assert ours == count - first.numel() + 9 * len(first)  # 3x3 pixels of one channel


@every_network
@pytest.mark.parametrize("resize", [None, 32])
def test_but_for_the_first_convolution_it_equals_torchvision(name: str, resize: int | None, images: Tensor) -> None:
    ours = settled(Backbone(name=name, resize=resize), images)
    theirs = get_model(name, num_classes=10).eval()
    stem, first = (network.get_submodule(STEMS[name]) for network in (ours.network, theirs))
    theirs.set_submodule(STEMS[name], stem)
    if resize is None:
        assert (stem.kernel_size, stem.stride) == ((3, 3), (1, 1))
        theirs.set_submodule(POOLS[name], nn.Identity())
    else:
        assert (stem.kernel_size, stem.stride) == (first.kernel_size, first.stride)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.network.state_dict().values(), strict=True)))
    seen = ours.normalise(images)
    if resize is not None:
        seen = F.interpolate(seen, (resize, resize), mode="bilinear")
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(seen))


@every_network
def test_shapes_follow_the_settings(name: str) -> None:
    model = Backbone(name=name, num_classes=47, in_channels=2, image_size=8).eval()
    assert model(torch.rand(2, 2, 8, 8)).shape == (2, 47)


@pytest.mark.parametrize("name", ["convnext_tiny", "googlenet", "squeezenet1_1"])  # each with a start or end of its own
def test_every_kind_of_torchvisions_networks_is_fitted(name: str, images: Tensor) -> None:
    assert Backbone(name=name, num_classes=3)(images).shape == (4, 3)


def test_images_that_a_network_cannot_take_are_an_error_with_the_next_step() -> None:
    with pytest.raises(
        ValueError, match=r"densenet121 takes no grey images of 7 pixels \(.*small\); try model.resize=224"
    ):
        Backbone(name="densenet121", image_size=7)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"torchvision has no such network, did you mean resnet18\?"):
        Backbone(name="resnet181")


@pytest.mark.parametrize(("name", "resize"), [("test_resnet", None), ("test_vit", 32)])
def test_timms_networks_are_fitted_and_restored(name: str, resize: int | None, images: Tensor, tmp_path: Path) -> None:
    pytest.importorskip("timm", reason="needs timm")
    model = settled(Backbone("timm", name, resize=resize, dropout=0.2, num_classes=3), images)
    restored = load_classifier(saved(model, tmp_path / "network.ckpt"))
    assert torch.equal(restored(images), model(images))
    with pytest.raises(UsageError, match=rf"no such network, did you mean {name}\?"):
        Backbone("timm", f"{name}x")


def test_without_timm_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match="model=timm needs the extra timm: python -m pip install 'timm"):
        Backbone("timm", "resnet10t")


def test_dropout_follows_the_setting_and_else_the_publication() -> None:
    def rates(**settings: Any) -> list[float]:
        return [part.p for part in Backbone(image_size=12, **settings).modules() if isinstance(part, nn.Dropout)]

    assert rates(name="mobilenet_v3_small") == [0.2]
    assert rates(name="mobilenet_v3_small", dropout=0.5) == [0.5]
    assert rates(name="resnet18", dropout=0.5) == [0.5]


@pytest.mark.parametrize("former", FORMER, ids=lambda former: former.__name__)
def test_checkpoints_of_earlier_versions_restore(
    former: Callable[..., Backbone], images: Tensor, tmp_path: Path
) -> None:
    model = settled(former(dropout=0.1), images)
    content = checkpoint_of(model)
    last = "network.fc." if former is ResNet18 else "network.classifier."
    features = "network." if former is ResNet18 else "network.features."
    state = {
        key.replace(last, "head.").replace(features, "features."): part for key, part in content["state_dict"].items()
    }
    arguments = {"pretrained": False, "dropout": 0.1, "num_classes": 10, "in_channels": 1, "image_size": 28}
    content["digitrec"] |= {"network": f"{former.__module__}.{former.__name__}", "arguments": arguments}
    torch.save(content | {"state_dict": state}, tmp_path / "old.ckpt")
    restored = load_classifier(tmp_path / "old.ckpt")
    assert torch.equal(restored(images), model(images))
    assert dict(restored.hparams) == dict(model.hparams)


# ---- ImageNet's weights


@every_network
def test_pretrained_takes_all_but_the_last_layer(name: str, hub: Path) -> None:
    state = published(name, hub)
    taken = Backbone(name=name, pretrained=True, num_classes=3).network.state_dict()
    for (key, part), own in zip(state.items(), taken.values(), strict=True):
        if not key.startswith(f"{LAST[name]}."):
            assert torch.equal(own, grey_kernels(part, 1) if key == f"{STEMS[name]}.weight" else part), key


def test_pretrained_for_resized_images_keeps_the_first_kernels_but_for_colours(hub: Path) -> None:
    kernels = published("resnet18", hub)["conv1.weight"]
    model = Backbone(pretrained=True, resize=32)
    torch.testing.assert_close(model.network.get_parameter("conv1.weight"), kernels.sum(dim=1, keepdim=True))


@every_network
def test_a_pretrained_network_restores_offline(name: str, hub: Path, tmp_path: Path, images: Tensor) -> None:
    published(name, hub)
    model = settled(Backbone(name=name, pretrained=True, dropout=0.1), images)
    saved(model, tmp_path / "network.ckpt")
    (hub / file_name(name)).unlink()
    restored = load_classifier(tmp_path / "network.ckpt")
    assert dict(restored.hparams)["dropout"] == 0.1
    assert torch.equal(restored(images), model(images))


@pytest.mark.parametrize("content", [None, b"", b"no weights", "others"], ids=str)
def test_weights_that_cannot_be_had_are_an_error_with_the_next_step(hub: Path, content: bytes | str | None) -> None:
    file = hub / file_name("resnet18")
    if content == "others":
        torch.save({"weight": torch.zeros(1)}, file)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(DigitrecError) as caught:
        Backbone(pretrained=True)
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
    grey = F.conv2d(picture.expand(-1, in_channels, -1, -1), grey_kernels(kernels, in_channels))
    torch.testing.assert_close(grey, colour)


def test_large_kernels_keep_their_pattern_and_their_answer_to_an_even_picture() -> None:
    even = torch.rand(4, 3, 1, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 7, 7)
    torch.testing.assert_close(grey_kernels(even, 1).sum((1, 2, 3)), even.sum((1, 2, 3)))
    edge = torch.linspace(-1, 1, 7).expand(1, 3, 7, 7)
    left, middle, right = grey_kernels(edge, 1)[0, 0].unbind(dim=1)
    assert (left < 0).all()
    torch.testing.assert_close(middle, torch.zeros(3))
    torch.testing.assert_close(left, -right)


# ---- the real command


@pytest.mark.slow
@every_network
def test_it_trains_and_its_run_loads(name: str, run_train: Command, tmp_path: Path) -> None:
    run_train(*QUICK, f"model={name}", "data.limit=10", "logger=none", code=0)
    assert load_classifier(only_run(tmp_path)).hparams["name"] == name


def test_offline_pretrained_is_one_line(run_train: Command, hub: Path) -> None:
    refused = run_train(*QUICK, "model=resnet18", "model.pretrained=true")
    refused.assert_refused("resnet18: no ImageNet weights", f"into {hub}", code=1)
