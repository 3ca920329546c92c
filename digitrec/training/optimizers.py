"""Optimizers: model, settings -> torch optimizer, fused where torch has it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from annotated_types import Ge, Gt, Len, Lt
from torch import nn
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
