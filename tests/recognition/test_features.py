import numpy as np
import pytest
import torch
from torch import nn

from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP
from digitrec.models.residual import ResidualCNN
from digitrec.recognition.networks.torch import feature_maps
from digitrec.recognition.recognizer import Recognizer

IMAGE = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def test_maps_are_what_the_convolutions_give() -> None:
    network = CNN(filters=[4, 6]).eval()
    first, second = feature_maps(network, IMAGE)
    assert (first.maps.shape, second.maps.shape) == ((4, 26, 26), (6, 11, 11))
    with torch.inference_mode():
        expected = network.get_submodule(first.name)(network.normalise(torch.from_numpy(IMAGE)[None, None]))[0]
    expected = expected.clamp(min=0)
    assert np.allclose(first.maps, (255 * expected / expected.max()).numpy(), atol=0.51)


def test_a_normalisation_counts_to_its_convolution() -> None:
    network = ResidualCNN(stem=[3], filters=[4], blocks=[1]).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.0)
            nn.init.constant_(module.bias, -1.0)
    maps = feature_maps(network, IMAGE)
    assert [found.maps.shape[0] for found in maps] == [3, 4, 4, 4]
    assert not any(found.maps.any() for found in maps)


def test_the_network_is_left_as_it_was() -> None:
    network = CNN(filters=[4, 6]).eval()
    feature_maps(network, IMAGE)
    assert not any(module._forward_hooks for module in network.modules())
    with pytest.raises(RuntimeError):
        feature_maps(network, IMAGE[:10])
    assert not any(module._forward_hooks for module in network.modules())


def test_without_convolutions_there_is_nothing_to_see() -> None:
    assert feature_maps(MLP().eval(), IMAGE) == []


def test_a_recognizer_looks_at_what_it_would_read() -> None:
    ink = np.zeros((90, 60), np.float32)
    ink[5:80, 25:33] = 1
    recognizer = Recognizer()
    (reading,) = recognizer.read_ink([ink])
    assert reading.label == "1"
    assert [found.maps.ndim for found in recognizer.feature_maps(ink)] == [3, 3]
