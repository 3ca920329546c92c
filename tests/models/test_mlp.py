import pytest
import torch
import torch.nn.functional as F
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


def test_bytes_and_their_share_of_255_give_the_same_logits() -> None:
    model = MLP().eval()
    model.describe_data(model.class_names, (0.1307,), (0.3081,))
    images = torch.randint(256, (6, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte()
    torch.testing.assert_close(model(images), model(images.float() / 255), rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    model = MLP(hidden=[16, 16])
    F.cross_entropy(model(torch.rand(8, 1, 28, 28)), torch.arange(8)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_dropout_acts_in_training_only() -> None:
    model, images = MLP(dropout=0.5), torch.rand(2, 1, 28, 28)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))
