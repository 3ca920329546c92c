from typing import Any

import pytest
import torch
from torch import Tensor, nn

from digitrec.evaluation.insight import embed, features, first_filters, integrated_gradients
from digitrec.models.classifier import DigitClassifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualCNN

NETWORKS: list[tuple[type[DigitClassifier], dict[str, Any]]] = [
    (CNN, {"filters": [4, 8], "hidden": 16}),
    (MLP, {"hidden": [16, 8]}),
    (ResidualCNN, {"stem": [4], "filters": [8], "blocks": [1]}),
]


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def network(kind: type[DigitClassifier], arguments: dict[str, Any]) -> DigitClassifier:
    torch.manual_seed(0)
    return kind(**arguments).eval()


@pytest.mark.parametrize(("kind", "arguments"), NETWORKS, ids=[kind.__name__ for kind, _ in NETWORKS])
def test_attributions_add_up_to_what_the_image_changes(
    kind: type[DigitClassifier], arguments: dict[str, Any], images: torch.Tensor
) -> None:
    model = network(kind, arguments)
    classes = torch.arange(6)
    found = integrated_gradients(model, images, classes, steps=400)
    with torch.inference_mode():
        difference = model(images) - model(torch.zeros_like(images))
    assert found.shape == images.shape
    torch.testing.assert_close(found.sum(dim=(1, 2, 3)), difference[classes, classes], rtol=0.02, atol=0.01)


def test_a_linear_network_is_explained_by_its_weights(images: torch.Tensor) -> None:
    layer = nn.Linear(784, 10)
    model = nn.Sequential(nn.Flatten(), layer)
    found = integrated_gradients(model, (images * 255).byte(), torch.full((6,), 3), steps=2)
    expected = (images * 255).byte().float() / 255 * layer.weight[3].view(1, 28, 28)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("kind", "arguments"), NETWORKS, ids=[kind.__name__ for kind, _ in NETWORKS])
def test_features_are_what_the_logits_are_a_linear_function_of(
    kind: type[DigitClassifier], arguments: dict[str, Any], images: torch.Tensor
) -> None:
    model = network(kind, arguments)
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.inference_mode():
        torch.testing.assert_close(last(features(model, images)), model(images))


def test_first_filters_are_the_first_weights_as_images() -> None:
    cnn, mlp = network(*NETWORKS[0]), network(*NETWORKS[1])
    filters = first_filters(cnn)
    assert filters is not None
    assert filters.shape == (4, 1, 3, 3)
    whole = first_filters(mlp)
    assert whole is not None
    assert whole.shape == (16, 1, 28, 28)
    assert torch.equal(whole.flatten(1), next(p for p in mlp.parameters() if p.dim() == 2))


def test_the_plane_keeps_neighbours_together() -> None:
    labels = torch.arange(90) % 3
    points = torch.randn(90, 40, generator=torch.Generator().manual_seed(1)) + 20 * torch.eye(40)[labels]
    plane = embed(points)
    assert plane.shape == (90, 2)
    distances = torch.cdist(plane, plane).fill_diagonal_(float("inf"))
    assert torch.equal(labels[distances.argmin(dim=1)], labels)


@pytest.mark.parametrize("points", [torch.ones(40, 8), torch.full((40, 8), float("nan"))])
def test_a_dead_network_has_no_layout_but_does_no_harm(points: torch.Tensor) -> None:
    assert torch.equal(embed(points), torch.zeros(40, 2))


def test_a_network_without_a_dense_layer_is_laid_out_by_its_logits(images: torch.Tensor) -> None:
    class Pooled(CNN):
        def __init__(self) -> None:
            super().__init__(filters=[10])
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    model = Pooled().eval()
    with torch.inference_mode():
        torch.testing.assert_close(features(model, images), model(images))


def test_one_feature_lies_on_a_line() -> None:
    points = torch.arange(6.0)[:, None]
    assert torch.equal(embed(points), torch.cat([points, torch.zeros(6, 1)], dim=1))


def test_a_dense_layer_that_does_not_give_the_logits_is_no_feature(images: Tensor) -> None:
    class Squeezed(CNN):
        def __init__(self) -> None:
            super().__init__(filters=[4])
            self.head = nn.Sequential(nn.Linear(13, 7), nn.AdaptiveAvgPool2d((10, 1)), nn.Flatten())
            self.features.append(nn.Flatten(1, 2))

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.head(self.features(self.normalise(images)))
            return logits

    model = Squeezed().eval()
    with torch.inference_mode():
        torch.testing.assert_close(features(model, images), model(images))
