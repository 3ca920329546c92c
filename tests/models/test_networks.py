"""What holds for every network."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digitrec.models.backbones import Backbone
from digitrec.models.classifier import DigitClassifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualCNN
from tests.networks import settled

NETWORKS: list[tuple[type[DigitClassifier], dict[str, Any]]] = [
    (CNN, {}), (MLP, {}), (ResidualCNN, {"stem": [4], "filters": [6, 8], "blocks": [1, 2]}),
    (Backbone, {"name": "resnet18"}), (Backbone, {"name": "densenet121"}), (Backbone, {"name": "mobilenet_v3_small"}),
]  # fmt: skip
Case = tuple[type[DigitClassifier], dict[str, Any], Tensor]


@pytest.fixture(params=NETWORKS, ids=lambda param: param[0].__name__)
def case(request: pytest.FixtureRequest) -> Case:
    """A network, its settings, and images: small ones where the network is large."""
    network, settings = request.param
    size = 28 if network in (CNN, MLP, ResidualCNN) else 12
    images = torch.randint(256, (6, 1, size, size), generator=torch.Generator().manual_seed(0)).byte()
    torch.manual_seed(0)
    return network, settings, images


def seen(case: Case, **changes: Any) -> tuple[DigitClassifier, Tensor]:
    """The network after it has seen the images, and these."""
    network, settings, images = case
    model = network(**settings, **changes)
    model.describe_data(model.class_names, (0.1307,), (0.3081,))
    return settled(model, images), images


def assert_close(logits: Tensor, others: Tensor, model: DigitClassifier) -> None:
    deep = not isinstance(model, CNN | MLP | ResidualCNN)
    torch.testing.assert_close(logits, others, rtol=1e-3 if deep else 1e-4, atol=1e-4 if deep else 1e-5)


def test_bytes_and_their_share_of_255_give_the_same_logits(case: Case) -> None:
    model, images = seen(case)
    assert_close(model(images), model(images.float() / 255), model)


def test_an_image_gets_the_same_logits_in_any_batch(case: Case) -> None:
    model, images = seen(case)
    assert_close(model(images)[2:3], model(images[2:3]), model)


def test_gradients_reach_every_parameter(case: Case) -> None:
    model, images = seen(case)
    F.cross_entropy(model.train()(images), torch.arange(6)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_dropout_acts_in_training_only(case: Case) -> None:
    model, images = seen(case, dropout=0.5)
    assert torch.equal(model(images), model(images))
    for layer in model.modules():
        layer.train(isinstance(layer, nn.Dropout))
    assert not torch.equal(model(images), model(images))


def test_bfloat16_gives_about_the_same_logits(case: Case) -> None:
    network, settings, images = case
    model = network(**settings).eval()  # untrained batch statistics of single pixels would blow rounding up
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = model(images)
    logits = model(images).detach()
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), logits, rtol=0.1, atol=0.05 * logits.abs().max().item())
