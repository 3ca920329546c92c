"""Signal handlers are installed, and put back as they were."""

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from digitrec.system.signals import (
    CODES,
    ENDING,
    defer_signals,
    describe_exit,
    exit_on_signal,
    install_handlers,
    restore_handlers,
    signal_exit_code,
)

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
    earlier = install_handlers(note)
    assert earlier == {number: signal.SIG_DFL for number in ENDING if number != signal.SIGHUP}
    assert {signal.getsignal(number) for number in earlier} == {note}
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    restore_handlers(earlier)
    assert {signal.getsignal(number) for number in earlier} == {signal.SIG_DFL}


@pytest.mark.parametrize("number", ENDING)
def test_the_exit_code_names_the_signal(number: signal.Signals) -> None:
    signal.signal(number, exit_on_signal)
    with pytest.raises((KeyboardInterrupt, SystemExit)) as left:
        os.kill(os.getpid(), number)
    assert signal_exit_code(left.value) == 128 + number
    assert 128 + number in CODES


@pytest.mark.parametrize("error", [SystemExit(1), SystemExit(None), SystemExit("a message"), ValueError()])
def test_other_ends_come_from_no_signal(error: BaseException) -> None:
    assert signal_exit_code(error) is None


@pytest.mark.parametrize(
    ("code", "text"), [(7, "with exit code 7"), (-9, "killed by SIGKILL; the system does so"), (-11, "by SIGSEGV")]
)
def test_an_exit_code_is_described(code: int, text: str) -> None:
    assert text in describe_exit(code)
    assert describe_exit(code).endswith("SIGSEGV") == (code == -11)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_deferred_signal_takes_effect_after_the_block(number: signal.Signals) -> None:
    earlier = install_handlers(exit_on_signal)
    done = []

    def interrupted() -> None:
        with defer_signals():
            signal.raise_signal(number)
            done.append("the rest")

    with pytest.raises((KeyboardInterrupt, SystemExit)) as ended:
        interrupted()
    assert signal_exit_code(ended.value) == 128 + number
    assert done == ["the rest"]
    assert {signal.getsignal(handled) for handled in earlier} == {exit_on_signal}
    with defer_signals():
        done.append("undisturbed")
    restore_handlers(earlier)
