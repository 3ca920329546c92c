from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LRScheduler

from digitrec.training.schedules import constant, cosine, exponential, one_cycle, step

EVERY = [
    constant,
    cosine,
    partial(cosine, warmup=0),
    partial(cosine, warmup=1),
    one_cycle,
    partial(one_cycle, warmup=0.1),
    partial(one_cycle, warmup=0.5),
    partial(one_cycle, warmup=0.99),
    partial(one_cycle, cycle_momentum=True),
    step,
    exponential,
]
PEAK = 0.4


def rates(schedule: Callable[..., LRScheduler], total_steps: int, **settings: Any) -> list[float]:
    """Learning rate of each step of a training, after the last of which the schedule is stepped as well."""
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=PEAK, momentum=0.9)
    scheduler = schedule(optimizer, total_steps, **settings)
    seen = []
    for _ in range(total_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def _name(schedule: Any) -> str:
    if isinstance(schedule, partial):
        return f"{schedule.func.__name__}-{schedule.keywords}"
    return str(schedule.__name__)


@pytest.mark.parametrize("schedule", EVERY, ids=_name)
@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 10, 100])
def test_every_rate_is_above_zero_and_up_to_the_peak(schedule: Callable[..., LRScheduler], total_steps: int) -> None:
    seen = rates(schedule, total_steps)
    assert all(0 < rate <= PEAK * (1 + 1e-9) for rate in seen)


@given(st.integers(1, 300), st.floats(0.001, 0.999))
def test_any_warm_up_fits_any_number_of_steps(total_steps: int, warmup: float) -> None:
    for schedule in (cosine, one_cycle):
        assert all(0 < rate <= PEAK * (1 + 1e-9) for rate in rates(schedule, total_steps, warmup=warmup))


def test_constant_is_constant() -> None:
    assert set(rates(constant, 50)) == {PEAK}


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.07, 0.5])
@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_rises_in_a_line_and_falls_to_its_final_rate(warmup: float, final: float) -> None:
    seen = rates(cosine, 100, warmup=warmup, final=final)
    risen = round(warmup * 100)
    peak = max(risen - 1, 0)
    assert max(seen) == PEAK == pytest.approx(seen[peak])
    assert seen[:peak] == pytest.approx([PEAK * (done + 1) / risen for done in range(peak)])
    assert all(rate > after for rate, after in pairwise(seen[risen:]))
    assert seen[-1] == pytest.approx(PEAK * final, abs=PEAK * 0.002)


def test_cosine_is_halfway_down_in_the_middle() -> None:
    seen = rates(cosine, 100, warmup=0.2, final=0.1)
    assert seen[60] == pytest.approx(PEAK * (0.1 + 0.9 / 2))


def test_one_cycle_starts_low_peaks_and_ends_lower() -> None:
    seen = rates(one_cycle, 100, warmup=0.3, initial=0.1, final=0.01)
    assert seen[0] == pytest.approx(PEAK * 0.1)
    assert max(seen) == seen[29] == pytest.approx(PEAK)
    assert seen[-1] == pytest.approx(PEAK * 0.1 * 0.01)


def test_one_cycle_leaves_momentum_alone_unless_asked() -> None:
    for cycle_momentum, start in ((False, 0.9), (True, 0.95)):
        optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=PEAK, momentum=0.9)
        one_cycle(optimizer, 10, cycle_momentum=cycle_momentum)
        assert optimizer.param_groups[0]["momentum"] == start


def test_step_multiplies_at_each_milestone() -> None:
    seen = rates(step, 20, milestones=[0.25, 0.6], gamma=0.5)
    assert seen == pytest.approx([PEAK] * 5 + [PEAK / 2] * 7 + [PEAK / 4] * 8)


def test_step_does_not_mind_the_order_of_milestones() -> None:
    assert rates(step, 20, milestones=[0.6, 0.25]) == rates(step, 20, milestones=[0.25, 0.6])


def test_exponential_falls_by_the_same_factor_to_its_final_rate() -> None:
    seen = rates(exponential, 100, final=0.01)
    assert seen[0] == PEAK
    assert [after / rate for rate, after in pairwise(seen)] == pytest.approx([0.01**0.01] * 99)
    assert seen[-1] * 0.01**0.01 == pytest.approx(PEAK * 0.01)


@pytest.mark.parametrize("schedule", EVERY, ids=_name)
def test_every_group_follows_the_schedule_from_its_own_peak(schedule: Callable[..., LRScheduler]) -> None:
    some, others = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = Adam([{"params": [some], "lr": 0.1}, {"params": [others], "lr": 0.2}])
    scheduler = schedule(optimizer, 10)
    for _ in range(10):
        small, large = (group["lr"] for group in optimizer.param_groups)
        assert large == pytest.approx(2 * small)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("schedule", EVERY, ids=_name)
def test_state_is_plain_and_goes_on_where_it_was(schedule: Callable[..., LRScheduler]) -> None:
    def fresh() -> tuple[SGD, LRScheduler]:
        optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=PEAK, momentum=0.9)
        return optimizer, schedule(optimizer, 10)

    optimizer, scheduler = fresh()
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    resumed_optimizer, resumed = fresh()
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    for one in (optimizer, resumed_optimizer):
        one.step()
    scheduler.step()
    resumed.step()
    assert resumed.get_last_lr() == scheduler.get_last_lr()
