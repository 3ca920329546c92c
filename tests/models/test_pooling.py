from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from digitrec.models.pooling import MaxPool2d

MAPS = torch.randn(2, 3, 11, 8, generator=torch.Generator().manual_seed(0))


def outcome(pool: nn.Module, compiled: Literal["eager", "no"]) -> tuple[Tensor, Tensor]:
    """Pooled maps and the gradient of their squares."""
    maps = MAPS.clone().requires_grad_()
    pooled = (torch.compile(pool, backend=compiled) if compiled != "no" else pool)(maps)
    pooled.square().sum().backward()
    assert maps.grad is not None
    return pooled.detach(), maps.grad


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("compiled", ["no", "eager"])
def test_it_pools_as_torch_does(size: int, compiled: Literal["eager", "no"]) -> None:
    for ours, theirs in zip(outcome(MaxPool2d(size), compiled), outcome(nn.MaxPool2d(size), "no"), strict=True):
        assert torch.equal(ours, theirs)


def test_equal_values_share_the_gradient_when_compiled() -> None:
    maps = torch.ones(1, 1, 2, 2, requires_grad=True)
    torch.compile(MaxPool2d(2), backend="eager")(maps).sum().backward()
    assert maps.grad is not None
    assert maps.grad.tolist() == [[[[0.25, 0.25], [0.25, 0.25]]]]


def test_an_exported_network_pools_by_the_operation_of_that_name() -> None:
    program = torch.export.export(MaxPool2d(2), (MAPS,))
    assert "max_pool2d" in str(program.graph)
