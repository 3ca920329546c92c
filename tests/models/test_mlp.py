import pytest
import torch
from torch import nn

from digitrec.models.mlp import MLP


def test_the_reference_network_has_109_386_parameters() -> None:
    assert sum(parameter.numel() for parameter in MLP().parameters()) == 109_386


def test_without_hidden_layers_it_is_linear() -> None:
    torch.manual_seed(0)
    model = MLP(hidden=[], num_classes=4, in_channels=2, image_size=5).eval()
    some, others = torch.rand(2, 3, 2, 5, 5)
    middle = model((some + others) / 2)
    torch.testing.assert_close(middle, (model(some) + model(others)) / 2)
    assert [name for name, _ in model.named_parameters()] == ["head.0.weight", "head.0.bias"]


@pytest.mark.parametrize("hidden", [[], [7], [7, 6, 5]])
def test_widths_follow_the_settings(hidden: list[int]) -> None:
    model = MLP(hidden, num_classes=4, in_channels=2, image_size=5).eval()
    widths = [layer.out_features for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert widths == [*hidden, 4]
    assert model(torch.rand(3, 2, 5, 5)).shape == (3, 4)
