from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digitrec.models.cnn import CNN


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (6, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte()


@pytest.fixture
def cnn() -> CNN:
    torch.manual_seed(0)
    model = CNN()
    model.describe_data(model.class_names, (0.1307,), (0.3081,))
    return model.eval()


def layers(model: nn.Module) -> list[int]:
    return [
        sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]


def test_the_reference_network_has_225_034_parameters(cnn: CNN) -> None:
    assert layers(cnn) == [320, 18_496, 204_928, 1_290]
    assert sum(parameter.numel() for parameter in cnn.parameters()) == 225_034


def test_pooling_before_relu_is_exactly_the_textbook_order(cnn: CNN, images: Tensor) -> None:
    maps = cnn.normalise(images)
    for layer in cnn.features:
        if isinstance(layer, nn.Conv2d):
            maps = F.max_pool2d(F.relu(layer(maps)), 2)
    assert torch.equal(cnn(images), cnn.head(maps))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"filters": [8]}, [8 * 10, 128 * (8 * 13 * 13 + 1), 129 * 10]),
        ({"filters": [4, 8, 16], "hidden": 5}, [4 * 10, 8 * 37, 16 * 73, 5 * (16 + 1), 6 * 10]),
        ({"kernel_size": 5}, [32 * 26, 64 * (32 * 25 + 1), 128 * (64 * 4 * 4 + 1), 129 * 10]),
        (
            {"filters": [32, 64, 64], "unpooled": 1, "hidden": 64},
            [320, 18_496, 36_928, 64 * (64 * 3 * 3 + 1), 65 * 10],
        ),
        ({"kernel_size": 1}, [32 * 2, 64 * 33, 128 * (64 * 7 * 7 + 1), 129 * 10]),
        ({"in_channels": 3, "num_classes": 47}, [32 * 28, 18_496, 204_928, 129 * 47]),
        ({"image_size": 10}, [320, 18_496, 128 * (64 + 1), 1_290]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_layers_follow_the_settings(settings: dict[str, Any], expected: list[int]) -> None:
    model = CNN(**settings).eval()
    size = settings.get("image_size", 28)
    assert layers(model) == expected
    logits = model(torch.rand(2, settings.get("in_channels", 1), size, size))
    assert logits.shape == (2, settings.get("num_classes", 10))


@pytest.mark.parametrize(
    ("filters", "kernel_size", "image_size"), [([1] * 4, 3, 28), ([1] * 40, 3, 28), ([1], 3, 3), ([1] * 5, 1, 28)]
)
def test_too_many_blocks_are_an_error_with_the_numbers(filters: list[int], kernel_size: int, image_size: int) -> None:
    message = f"{len(filters)} blocks .*kernel_size {kernel_size} .*{image_size} pixels"
    with pytest.raises(ValueError, match=message):
        CNN(filters, kernel_size, image_size=image_size)


def test_each_block_can_have_its_own_kernel() -> None:
    model = CNN(filters=[4, 6], kernel_size=[5, 3], hidden=8)
    kernels = [layer.kernel_size for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(5, 5), (3, 3)]
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    with pytest.raises(ValueError, match="2 blocks need one kernel_size or 2"):
        CNN(filters=[4, 6], kernel_size=[5, 3, 3])
