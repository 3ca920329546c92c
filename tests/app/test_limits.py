import asyncio
import re
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from digitrec.app import limits
from digitrec.app.limits import HEADERS, OTHERS, RATES, Addresses, Rates, read_body
from digitrec.app.server import STATIC

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested
OWN = {
    "127.0.0.1": "127.0.0.1:8000 localhost:8000 LOCALHOST:8000 [::1]:8000",
    "127.0.0.2": "127.0.0.2:8000",
    "::1": "[::1]:8000",
    "Desk.example": "desk.example:8000",
    EVERYWHERE: "192.168.0.7:8000 [fe80::1]:8000",
}
OTHER = {
    "127.0.0.1": (
        "127.0.0.1 127.0.0.1:8001 evil.example:8000 localhost.evil.example:8000 127.0.0.1.evil.example:8000 "
        "evil.example:8000#@127.0.0.1:8000 192.168.0.7:8000 [::1]:8000:8000 localhost:٨٠٠٠"
    ),
    "127.0.0.2": "127.0.0.3:8000",
    EVERYWHERE: "evil.example:8000",
}


@pytest.mark.parametrize("bound", OWN)
def test_the_names_of_a_server_are_known_and_no_others(bound: str) -> None:
    """Of this machine there are three; beyond it numbers are taken, and names are not."""
    addresses = Addresses(8000, bound)
    assert all(map(addresses.include, OWN[bound].split()))
    assert not any(map(addresses.include, ["", "localhost:8000\n", *OTHER.get(bound, "").split()]))
    assert addresses.beyond_this_machine == (bound in ("Desk.example", EVERYWHERE))
    assert Addresses(80, bound).include("localhost"), "without its port"


def test_the_page_says_itself_what_the_server_says_of_it() -> None:
    """Where a static host serves it, its own words are all that there is; these can't be said in a page."""
    (policy,) = re.findall(
        r'http-equiv="Content-Security-Policy" content="([^"]+)"', (STATIC / "index.html").read_text("utf-8")
    )
    assert f"{policy}; frame-ancestors 'none'" == HEADERS["Content-Security-Policy"]


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
