"""Optimizers: model, settings -> torch optimizer, fused where torch has it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt, Len, Lt
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

LearningRate = Annotated[float, Gt(0)]
Decay = Annotated[float, Ge(0)]
Betas = Annotated[Sequence[Annotated[float, Ge(0), Lt(1)]], Len(2, 2)]


def parameter_groups(model: nn.Module, weight_decay: float, *, decay_all: bool) -> list[dict[str, Any]]:
    """Trainable parameters in two groups: decayed, and not.

    Biases and the weights of norm layers, all of one dimension, are only decayed with `decay_all`: pulling them to
    zero restricts the function without making it smoother (He et al., 2019, "Bag of Tricks", section 3.1).
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trainable if decay_all or parameter.ndim > 1]
    rest = [parameter for parameter in trainable if not (decay_all or parameter.ndim > 1)]
    groups = [
        {"params": decayed, "weight_decay": weight_decay, "name": "weights"},
        {"params": rest, "weight_decay": 0.0, "name": "biases"},
    ]
    return [group for group in groups if group["params"]]


def of_model(made_by: "partial[Any]") -> Callable[[nn.Module], Optimizer]:
    """Model -> optimizer, from a function of ours or a class of torch's kind, which takes parameters."""
    if isinstance(made_by.func, type) and issubclass(made_by.func, Optimizer):
        return lambda model: made_by([parameter for parameter in model.parameters() if parameter.requires_grad])
    return made_by


def adam(
    model: nn.Module,
    lr: LearningRate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Annotated[float, Gt(0)] = 1e-8,
    weight_decay: Decay = 0.0,
    decay_all: bool = False,
) -> Optimizer:
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980); weight decay is added to the gradients."""
    groups = parameter_groups(model, weight_decay, decay_all=decay_all)
    return Adam(groups, lr=lr, betas=(float(betas[0]), float(betas[1])), eps=eps, fused=True)


def adamw(
    model: nn.Module,
    lr: LearningRate = 3e-3,
    betas: Betas = (0.9, 0.999),
    eps: Annotated[float, Gt(0)] = 1e-8,
    weight_decay: Decay = 0.01,
    decay_all: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101)."""
    groups = parameter_groups(model, weight_decay, decay_all=decay_all)
    return AdamW(groups, lr=lr, betas=(float(betas[0]), float(betas[1])), eps=eps, fused=True)


def sgd(
    model: nn.Module,
    lr: LearningRate = 0.1,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
    nesterov: bool = True,
    weight_decay: Decay = 5e-4,
    decay_all: bool = False,
) -> Optimizer:
    """Stochastic gradient descent with momentum (Sutskever et al., 2013, ICML, section 2)."""
    groups = parameter_groups(model, weight_decay, decay_all=decay_all)
    return SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov and momentum > 0, fused=True)


def rmsprop(
    model: nn.Module,
    lr: LearningRate = 1e-3,
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99,
    eps: Annotated[float, Gt(0)] = 1e-8,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0,
    weight_decay: Decay = 0.0,
    decay_all: bool = False,
) -> Optimizer:
    """RMSprop (Tieleman and Hinton, 2012, Neural Networks for Machine Learning, lecture 6.5); not fused in torch."""
    groups = parameter_groups(model, weight_decay, decay_all=decay_all)
    return RMSprop(groups, lr=lr, alpha=alpha, eps=eps, momentum=momentum)


def muon(
    model: nn.Module,
    lr: LearningRate = 0.01,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.95,
    nesterov: bool = True,
    newton_schulz_steps: Annotated[int, Ge(1), Lt(100)] = 5,
    betas: Betas = (0.9, 0.999),
    eps: Annotated[float, Gt(0)] = 1e-8,
    weight_decay: Decay = 0.01,
    decay_all: bool = False,
) -> Optimizer:
    """Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon) for weights, AdamW for the rest."""
    groups = parameter_groups(model, weight_decay, decay_all=False)
    for group in groups:
        if group["name"] == "weights":
            group |= {"momentum": momentum, "nesterov": nesterov, "newton_schulz_steps": newton_schulz_steps}
        else:
            group |= {"betas": (float(betas[0]), float(betas[1])), "eps": eps}
            group["weight_decay"] = weight_decay if decay_all else 0.0
    return Muon(groups, lr)


class Muon(Optimizer):
    """Muon for groups of parameters with a momentum, AdamW for the others.

    A step of Muon is the momentum with all its singular values near one, so that rare directions count as much as
    frequent ones. A filter is a row of its layer's matrix. Steps are scaled to the usual length of AdamW's, so that
    rate and weight decay mean the same for both (Liu et al., 2025, arXiv:2502.16982, section 2.2). For linear layers
    this is torch.optim.Muon, which takes no filters and leaves the rest to a second optimizer.

    Args:
        groups: for Muon with weight_decay, momentum, nesterov and newton_schulz_steps; for AdamW with its settings.
        lr: learning rate of all groups.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], lr: float) -> None:
        others = [group for group in groups if "momentum" not in group]
        self._adamw = AdamW(others, lr=lr, fused=True) if others else None  # completes their settings
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step; returns the loss, if a closure computes it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if "momentum" in group:
                self._step(group)
        if self._adamw is not None:  # groups and state are other objects after load_state_dict
            self._adamw.param_groups = [group for group in self.param_groups if "momentum" not in group]
            self._adamw.state = self.state
            self._adamw.step()
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            state = self.state[parameter]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            mean = state["momentum_buffer"]
            mean.lerp_(gradient, 1 - momentum)
            update = (gradient.lerp(mean, momentum) if group["nesterov"] else mean).flatten(1)
            step = orthogonalised(update, group["newton_schulz_steps"]).reshape(parameter.shape)
            parameter.mul_(1 - lr * group["weight_decay"]).add_(step, alpha=-lr * 0.2 * max(update.shape) ** 0.5)


def orthogonalised(matrix: Tensor, steps: int, eps: float = 1e-7) -> Tensor:
    """A matrix (m, n) with its singular values brought near one, about 0.7 to 1.2, as bfloat16.

    Newton-Schulz iteration with the coefficients of Jordan et al., 2024, which raise small values fast.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.T if tall else x
