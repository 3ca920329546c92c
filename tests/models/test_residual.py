from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digitrec.models.residual import ResidualBlock, ResidualCNN
from tests.networks import settled

SMALL: dict[str, Any] = {"stem": [4], "filters": [6, 8], "blocks": [1, 2]}


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (6, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte()


@pytest.fixture
def network(images: Tensor) -> ResidualCNN:
    """A small one whose batch statistics are those of the images, in evaluation mode."""
    torch.manual_seed(0)
    model = ResidualCNN(**SMALL)
    model.describe_data(model.class_names, (0.1307,), (0.3081,))
    settled(model, images)
    return model


def block(in_channels: int, out_channels: int, stride: int = 1) -> ResidualBlock:
    """In evaluation mode, with statistics and weights of normalisation that are not the neutral ones."""
    torch.manual_seed(0)
    made = ResidualBlock(in_channels, out_channels, stride)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                assert values is not None
                values.uniform_(0.5, 1.5)
    return made.eval()


def normalised(maps: Tensor, convolution: nn.Module, norm: nn.Module, stride: int = 1) -> Tensor:
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    maps = F.conv2d(maps, convolution.weight, stride=stride, padding=convolution.weight.shape[-1] // 2)
    return F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias)


# ---- a block


@pytest.mark.parametrize(("out_channels", "stride", "size"), [(4, 1, 8), (6, 1, 8), (4, 2, 8), (6, 2, 7), (6, 2, 1)])
def test_a_block_adds_its_input_around_two_convolutions(out_channels: int, stride: int, size: int) -> None:
    made, maps = block(4, out_channels, stride), torch.randn(2, 4, size, size)
    first, norm, _, second, other = made.residual
    residual = normalised(normalised(maps, first, norm, stride).relu(), second, other)
    shortcut = maps
    if isinstance(made.shortcut, nn.Sequential):
        smaller = F.interpolate(maps, size=residual.shape[-2:], mode="area") if size % 2 == 0 or size == 1 else None
        pooled = made.shortcut[0](maps)
        assert smaller is None or torch.allclose(smaller, pooled if stride > 1 else maps)
        shortcut = normalised(pooled, made.shortcut[1], made.shortcut[2])
    torch.testing.assert_close(made(maps), (residual + shortcut).relu())


def test_a_block_that_learned_nothing_passes_its_input_on() -> None:
    made, maps = block(4, 4), torch.rand(2, 4, 8, 8)
    for parameter in made.residual.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(made(maps), maps)


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_an_even_picture_keeps_its_value_when_the_shortcut_makes_it_smaller(size: int) -> None:
    """Also where the last window hangs over the edge."""
    shortcut = block(4, 6, stride=2).shortcut
    assert isinstance(shortcut, nn.Sequential)
    half = (size + 1) // 2
    assert torch.equal(shortcut[0](torch.full((1, 4, size, size), 3.0)), torch.full((1, 4, half, half), 3.0))


# ---- the network


def test_the_reference_network_has_584_938_parameters() -> None:
    assert sum(parameter.numel() for parameter in ResidualCNN().parameters()) == 584_938


@pytest.mark.parametrize(("blocks", "shape"), [([1], (6, 14, 14)), ([2, 1], (8, 7, 7)), ([1, 1, 1], (10, 4, 4))])
def test_each_stage_after_the_first_halves_the_maps(blocks: list[int], shape: tuple[int, int, int]) -> None:
    model = ResidualCNN(stem=[3, 4], filters=[6, 8, 10][: len(blocks)], blocks=blocks).eval()
    assert model.features(torch.rand(2, 1, 28, 28)).shape == (2, *shape)
    assert sum(isinstance(layer, ResidualBlock) for layer in model.features) == sum(blocks)


def test_the_head_sees_the_average_over_the_image(network: ResidualCNN, images: Tensor) -> None:
    maps = network.features(network.normalise(images))
    torch.testing.assert_close(network(images), network.head(F.adaptive_avg_pool2d(maps, 1).flatten(1)))


@pytest.mark.parametrize("size", [4, 5, 28, 31])
def test_sizes_follow_the_settings(size: int) -> None:
    model = ResidualCNN(**SMALL, num_classes=47, in_channels=3, image_size=size).eval()
    assert model(torch.rand(2, 3, size, size)).shape == (2, 47)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"blocks": [1]}, r"2 stages need 2 numbers of blocks, got \[1\]"),
        ({"image_size": 3}, "2 stages need images of at least 4 pixels"),
    ],
)
def test_impossible_settings_are_an_error_that_names_the_numbers(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidualCNN(**{**SMALL, **wrong})


def test_without_the_average_the_head_sees_every_place(images: Tensor) -> None:
    torch.manual_seed(0)
    model = ResidualCNN(**SMALL, average=False).eval()
    maps = model.features(model.normalise(images))
    torch.testing.assert_close(model(images), model.head(maps.flatten(1)))
    assert model.head(maps.flatten(1)).shape == (6, 10)
    assert sum(parameter.numel() for parameter in ResidualCNN(average=False).parameters()) == 646_378
