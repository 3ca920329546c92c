import asyncio
import re
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from digitrec.app import limits
from digitrec.app.limits import HEADERS, OTHERS, RATES, Addresses, Rates, read_body
from digitrec.app.server import STATIC


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_this_machine_is_known_by_three_names(host: str) -> None:
    assert Addresses(8000).include(host)


OTHERS_NAMES = (
    "", "127.0.0.1", "127.0.0.1:8001", "evil.example:8000", "localhost.evil.example:8000",
    "127.0.0.1.evil.example:8000", "evil.example:8000#@127.0.0.1:8000", "192.168.0.7:8000", "[::1]:8000:8000",
    "localhost:8000\n", "localhost:٨٠٠٠",
)  # fmt: skip


@pytest.mark.parametrize("host", OTHERS_NAMES)
def test_other_names_are_not(host: str) -> None:
    assert not Addresses(8000).include(host)


def test_the_address_that_it_listens_at_is_known() -> None:
    assert Addresses(8000, "127.0.0.2").include("127.0.0.2:8000")
    assert Addresses(8000, "::1").include("[::1]:8000")
    assert Addresses(8000, "Desk.example").include("desk.example:8000")
    assert not Addresses(8000, "127.0.0.2").include("127.0.0.3:8000")


def test_the_page_says_itself_what_the_server_says_of_it() -> None:
    """Where a static host serves it, its own words are all that there is; these can't be said in a page."""
    (policy,) = re.findall(
        r'http-equiv="Content-Security-Policy" content="([^"]+)"', (STATIC / "index.html").read_text("utf-8")
    )
    assert f"{policy}; frame-ancestors 'none'" == HEADERS["Content-Security-Policy"]


def test_port_80_goes_without_saying() -> None:
    assert Addresses(80).include("localhost")


def test_beyond_this_machine_numbers_are_taken_and_names_are_not() -> None:
    everywhere = Addresses(8000, "0.0.0.0")  # noqa: S104 - what is tested
    assert everywhere.include("192.168.0.7:8000")
    assert everywhere.include("[fe80::1]:8000")
    assert not everywhere.include("evil.example:8000")
    assert [Addresses(1, bound).beyond_this_machine for bound in ("127.0.0.1", "::1", "localhost", "::")] == [
        False, False, False, True
    ]  # fmt: skip


def test_a_rate_holds_in_the_long_run_and_lets_a_burst_pass() -> None:
    now = [0.0]
    rates, rate = Rates(lambda: now[0]), RATES["/api/picture"]
    assert [rates.wait("a", "/api/picture") for _ in range(rate.at_once)] == [0] * rate.at_once
    wait = rates.wait("a", "/api/picture")
    assert wait == pytest.approx(1 / rate.a_second)
    assert rates.wait("b", "/api/picture") == 0, "another address has its own"
    assert rates.wait("a", "/api/read") == 0, "so has another question"
    now[0] += wait + 1e-9
    assert rates.wait("a", "/api/picture") == 0
    taken = 0
    for _ in range(1000):
        now[0] += 0.01
        taken += rates.wait("a", "/api/picture") == 0
    assert taken == pytest.approx(10 * rate.a_second, abs=1)


def test_only_so_many_addresses_are_remembered() -> None:
    rates = Rates(lambda: 0.0)
    for number in range(3 * limits.CLIENTS):
        rates.wait(str(number), "/")
    assert len(rates._left) == limits.CLIENTS
    assert [rates.wait(str(number), "/") for number in range(OTHERS.at_once)].count(0) == OTHERS.at_once


def test_content_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)
    request = Request({"type": "http", "method": "POST", "headers": []}, silence)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(read_body(request, 100))
    assert refused.value.status_code == 408
