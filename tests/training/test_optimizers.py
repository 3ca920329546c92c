from collections.abc import Callable
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from digitrec.training.optimizers import adam, adamw, muon, orthogonalised, parameter_groups, rmsprop, sgd

EVERY = [adam, adamw, sgd, rmsprop, muon]
each = pytest.mark.parametrize("make", EVERY, ids=lambda make: make.__name__)


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def decayed(optimizer: Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}


@each
def test_biases_and_norm_layers_are_not_decayed(make: Callable[..., Optimizer], model: nn.Sequential) -> None:
    assert decayed(make(model, weight_decay=0.1)) == {id(model[0].weight), id(model[4].weight)}


@each
def test_all_parameters_are_decayed_if_asked(make: Callable[..., Optimizer], model: nn.Sequential) -> None:
    assert decayed(make(model, weight_decay=0.1, decay_all=True)) == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("decay_all", [True, False])
def test_every_trainable_parameter_is_in_exactly_one_group(model: nn.Sequential, decay_all: bool) -> None:
    model[0].requires_grad_(False)
    model.append(model[4])  # shared weights
    groups = parameter_groups(model, 0.1, decay_all=decay_all)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(
        id(parameter) for layer in (model[1], model[4]) for parameter in layer.parameters()
    )


def test_a_group_that_would_be_empty_is_left_out(model: nn.Sequential) -> None:
    assert [group["name"] for group in parameter_groups(nn.Linear(2, 2, bias=False), 0.1, decay_all=False)] == [
        "weights"
    ]
    assert [group["name"] for group in parameter_groups(model[1], 0.1, decay_all=False)] == ["biases"]


@pytest.mark.parametrize("make", [adam, adamw, sgd], ids=lambda make: make.__name__)
def test_fused_where_torch_has_it(make: Callable[..., Optimizer], model: nn.Sequential) -> None:
    assert all(group["fused"] for group in make(model).param_groups)


@each
def test_the_learning_rate_is_that_of_every_group(make: Callable[..., Optimizer], model: nn.Sequential) -> None:
    assert [group["lr"] for group in make(model, lr=0.012).param_groups] == [0.012, 0.012]


@pytest.mark.parametrize(
    "make",
    [*EVERY, partial(sgd, momentum=0.0), partial(sgd, nesterov=False), partial(rmsprop, momentum=0.9)],
    ids=["adam", "adamw", "sgd", "rmsprop", "muon", "sgd-without-momentum", "sgd-classical", "rmsprop-momentum"],
)
def test_steps_lower_a_convex_loss(make: Callable[..., Optimizer]) -> None:
    torch.manual_seed(0)
    model, inputs, targets = nn.Linear(4, 2), torch.randn(32, 4), torch.randn(32, 2)
    optimizer, losses = make(model, lr=0.01), []
    for _ in range(4):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_decay_is_decoupled_in_adamw_only() -> None:
    """Without a gradient, AdamW shrinks by lr times weight_decay, whereas Adam's step has the size of lr."""
    for make, expected in ((adamw, 1 - 0.1 * 0.5), (adam, 1 - 0.1)):
        model = nn.Linear(1, 1, bias=False)
        nn.init.ones_(model.weight)
        model.weight.grad = torch.zeros(1, 1)
        make(model, lr=0.1, weight_decay=0.5).step()
        assert model.weight.item() == pytest.approx(expected, rel=1e-4)


def step_on(inputs: torch.Tensor, model: nn.Module, *optimizers: Optimizer) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    model(inputs).square().sum().backward()
    for optimizer in optimizers:
        optimizer.step()


@pytest.mark.parametrize("shape", [(7, 5), (5, 7)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_torchs_for_linear_layers_and_adamw_for_biases(shape: tuple[int, int], nesterov: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(*shape), nn.Linear(*shape)
    theirs.load_state_dict(ours.state_dict())
    by_torch = Muon([theirs.weight], 0.1, 0.3, nesterov=nesterov, adjust_lr_fn="match_rms_adamw")
    both, biases = muon(ours, 0.1, weight_decay=0.3, nesterov=nesterov), AdamW([theirs.bias], 0.1, weight_decay=0.0)
    for inputs in torch.randn(4, 16, shape[0]):
        step_on(inputs, ours, both)
        step_on(inputs, theirs, by_torch, biases)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_takes_filters_for_rows_of_a_matrix(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    flat = nn.Linear(3 * 3 * 2, 4, bias=False)
    filters = nn.Conv2d(2, 4, 3, bias=False)
    filters.weight.data = flat.weight.detach().clone().view(4, 2, 3, 3).to(memory_format=layout)
    one, other = muon(filters), muon(flat)
    for images in torch.randn(4, 16, 2, 3, 3):
        step_on(images, filters, one)
        step_on(images.flatten(1), flat, other)
    torch.testing.assert_close(filters.weight.flatten(1), flat.weight)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape) * 1e3, 5).float())
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_muon_goes_on_from_its_state_to_the_last_bit(model: nn.Sequential) -> None:
    copy, images = deepcopy(model), torch.randn(6, 8, 1, 6, 6)
    optimizer = muon(model)
    for batch in images[:3]:
        step_on(batch, model, optimizer)
    copy.load_state_dict(model.state_dict())
    resumed = muon(copy)
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    for batch in images[3:]:
        step_on(batch, model, optimizer)
        step_on(batch, copy, resumed)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), copy.parameters(), strict=True))
