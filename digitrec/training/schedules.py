"""Learning-rate schedules: optimizer, total_steps, settings -> torch scheduler, stepped once per optimizer step."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

Share = Annotated[float, Ge(0), Le(1)]
Schedule = Callable[[Optimizer, int], LRScheduler]


def over_steps(made_by: "partial[LRScheduler]") -> tuple[Schedule, bool]:
    """Optimizer, total steps -> schedule, from a function of ours or a class of torch's kind; whether it is per epoch.

    A class that takes `total_steps` is stepped as often, any other once per epoch, as torch documents it.
    """
    own = not (isinstance(made_by.func, type) and issubclass(made_by.func, LRScheduler))
    if own or "total_steps" in signature(made_by.func).parameters:
        return lambda optimizer, total_steps: made_by(optimizer, total_steps=total_steps), False
    return lambda optimizer, _: made_by(optimizer), True


def constant(optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """The same learning rate throughout."""
    return _by_progress(optimizer, total_steps, lambda progress: 1.0)


def cosine(optimizer: Optimizer, total_steps: int, warmup: Share = 0.05, final: Share = 0.0) -> LRScheduler:
    """Linear warm-up over a share of the steps, then half a cosine down to `final` times the peak.

    Source: Loshchilov and Hutter, 2017, arXiv:1608.03983, equation 5, without restarts.
    """

    def factor(progress: float) -> float:
        risen = progress + 1 / total_steps  # one step ahead: a first step at learning rate zero would be wasted
        if risen < warmup:
            return risen / warmup
        fall = max(0.0, progress - warmup) / max(1 - warmup, 1e-12)
        return final + (1 - final) * (1 + math.cos(math.pi * fall)) / 2

    return _by_progress(optimizer, total_steps, factor)


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    warmup: Annotated[float, Gt(0), Lt(1)] = 0.3,
    initial: Annotated[float, Gt(0), Le(1)] = 0.04,
    final: Annotated[float, Gt(0), Le(1)] = 1e-4,
    cycle_momentum: bool = False,
) -> LRScheduler:
    """Up from `initial` times the peak and down to `final` times that start, by cosines.

    With `cycle_momentum`, momentum (Adam's first beta) runs from 0.95 to 0.85 and back instead of its own value.
    Source: Smith and Topin, 2019, arXiv:1708.07120.
    """
    steps = max(total_steps, 3)  # start, peak, end; fewer, or a warm-up of less than a step, and torch divides by zero
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=max(warmup, 2 / steps),
        div_factor=1 / initial,
        final_div_factor=1 / final,
        cycle_momentum=cycle_momentum,
    )


def step(
    optimizer: Optimizer,
    total_steps: int,
    milestones: Sequence[Share] = (0.5, 0.75),
    gamma: Annotated[float, Gt(0), Le(1)] = 0.1,
) -> LRScheduler:
    """Times `gamma` at each milestone, a share of all steps."""

    def factor(progress: float) -> float:
        return gamma ** sum(progress >= milestone for milestone in milestones)

    return _by_progress(optimizer, total_steps, factor)


def exponential(optimizer: Optimizer, total_steps: int, final: Annotated[float, Gt(0), Le(1)] = 0.01) -> LRScheduler:
    """Times the same factor each step, `final` times the peak at the end."""
    return _by_progress(optimizer, total_steps, lambda progress: final**progress)


def lr_range(
    optimizer: Optimizer,
    total_steps: int,
    low: Annotated[float, Gt(0)] = 1e-6,
    high: Annotated[float, Gt(0)] = 10.0,
) -> LRScheduler:
    """From `low` to `high` by the same factor each step; other groups of parameters keep their ratio to the first.

    For a range test, which shows at what rates the loss falls. Source: Smith, 2017, arXiv:1506.01186, section 3.3.
    """
    base = optimizer.param_groups[0]["lr"]
    return _by_progress(optimizer, total_steps, lambda progress: low / base * (high / low) ** progress)


def _by_progress(optimizer: Optimizer, total_steps: int, factor: Callable[[float], float]) -> LRScheduler:
    """Schedule from a function of progress, 0 at the first step and approaching 1 at the last."""
    return LambdaLR(optimizer, lambda done: factor(min(1.0, done / total_steps)))
