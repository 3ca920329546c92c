"""Signals are taken over where somebody expects them, and given back as they were."""

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from digitrec.system.signals import CODES, ENDING, death, hear, held_back, leave, restore, signal_exit_code

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has two of these signals")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """As they are when a program starts, and afterwards as they were."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def note(number: int, frame: FrameType | None) -> None:
    pass


def test_what_is_ignored_stays_so_and_all_is_given_back() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    earlier = hear(note)
    assert earlier == {number: signal.SIG_DFL for number in ENDING if number != signal.SIGHUP}
    assert {signal.getsignal(number) for number in earlier} == {note}
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    restore(earlier)
    assert {signal.getsignal(number) for number in earlier} == {signal.SIG_DFL}


@pytest.mark.parametrize("number", ENDING)
def test_whoever_leaves_tells_by_which_signal(number: signal.Signals) -> None:
    signal.signal(number, leave)
    with pytest.raises((KeyboardInterrupt, SystemExit)) as left:
        os.kill(os.getpid(), number)
    assert signal_exit_code(left.value) == 128 + number
    assert 128 + number in CODES


@pytest.mark.parametrize("error", [SystemExit(1), SystemExit(None), SystemExit("said"), ValueError()])
def test_other_ends_come_from_no_signal(error: BaseException) -> None:
    assert signal_exit_code(error) is None


@pytest.mark.parametrize(
    ("code", "said"), [(7, "with exit code 7"), (-9, "killed by SIGKILL; the system does so"), (-11, "by SIGSEGV")]
)
def test_a_death_is_told_by_its_exit_code(code: int, said: str) -> None:
    assert said in death(code)
    assert death(code).endswith("SIGSEGV") == (code == -11)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_what_is_not_to_be_left_half_way(number: signal.Signals) -> None:
    earlier = hear(leave)
    done = []

    def interrupted() -> None:
        with held_back():
            signal.raise_signal(number)
            done.append("the rest")

    with pytest.raises((KeyboardInterrupt, SystemExit)) as ended:
        interrupted()
    assert signal_exit_code(ended.value) == 128 + number
    assert done == ["the rest"]
    assert {signal.getsignal(heard) for heard in earlier} == {leave}
    with held_back():
        done.append("undisturbed")
    restore(earlier)
