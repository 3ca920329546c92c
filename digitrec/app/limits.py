"""Limits of the server: from which address, how much and how often; and headers that limit browsers.

Starlette's TrustedHostMiddleware takes names only: not every number, and no port.
"""

import asyncio
import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = {"127.0.0.1", "localhost", "[::1]"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
BODY = "application/octet-stream"  # no form sends it: from another origin, a browser asks for permission first
BODY_SECONDS = 10.0
CLIENTS = 1000  # addresses whose rate is kept
ADDRESS = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:]+)(:(?P<port>\d{1,5}))?", re.ASCII)


@dataclass(frozen=True)
class Rate:
    """So many requests a second from one address, and so many at once after a rest."""

    a_second: float
    at_once: int


RATES = {
    "/api/read": Rate(600, 600),  # eight people who draw send about 300
    "/api/picture": Rate(5, 20),
    "/api/save": Rate(10, 40),
    "/api/peek": Rate(20, 40),
}
OTHERS = Rate(100, 400)


@dataclass(frozen=True)
class Addresses:
    """Addresses of this server that a Host header may name.

    Any other name may belong to a page that attacks by DNS rebinding; a number can't.

    Attributes:
        port: of the server.
        bound: address or name of `--host`; if other machines reach it, every number is accepted.
    """

    port: int
    bound: str = "127.0.0.1"

    def include(self, host: str) -> bool:
        """Whether a Host header names this server."""
        found = ADDRESS.fullmatch(host.lower())
        if not found or int(found["port"] or 80) != self.port:
            return False
        name = found["name"]
        if name in LOCAL or name.strip("[]") == self.bound.lower():
            return True
        return self.beyond_this_machine and _is_number(name.strip("[]"))

    @property
    def beyond_this_machine(self) -> bool:
        """Whether other machines reach the server."""
        if _is_number(self.bound):
            return not ipaddress.ip_address(self.bound).is_loopback
        return self.bound != "localhost"


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Rates:
    """Limits the rate of requests of each address (token buckets)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()  # tokens, and when counted

    def wait(self, client: str, path: str) -> float:
        """Count one request; 0 if it is accepted, else the seconds after which it would be."""
        kind = path if path in RATES else ""
        rate = RATES.get(path, OTHERS)
        now = self._clock()
        left, then = self._left.pop((client, kind), (float(rate.at_once), now))
        left = min(rate.at_once, left + (now - then) * rate.a_second)
        self._left[client, kind] = (left - 1, now) if left >= 1 else (left, now)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / rate.a_second


class Guard:
    """ASGI middleware that refuses requests beyond the limits, and adds the headers to responses."""

    def __init__(self, app: ASGIApp, addresses: Addresses) -> None:
        self._app = app
        self._addresses = addresses
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
        except HTTPException as refused:
            await refusal(refused)(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._addresses.include(host):
            raise HTTPException(403, f"this server is not {host[:80] or 'nameless'}; open the address that it printed")
        if scope["method"] not in ("GET", "HEAD"):
            self._check_sender(headers, host)
        client = scope["client"][0] if scope["client"] else ""
        if wait := self._rates.wait(client, scope["path"]):
            raise HTTPException(429, "too many requests, wait a moment", {"Retry-After": str(int(wait) + 1)})

    def _check_sender(self, headers: Headers, host: str) -> None:
        """Refuse requests that change anything or take work, unless from this server's own page or a program."""
        origin = headers.get("origin", f"http://{host}")
        if origin != f"http://{host}" or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "only digitrec's own page may send this")
        if headers.get("content-type") != BODY:
            raise HTTPException(415, f"expected content of type {BODY}")


def refusal(error: HTTPException) -> JSONResponse:
    """The response to a refused request."""
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def read_body(request: Request, most: int) -> bytes:
    """Content of a request.

    Raises:
        HTTPException: it has more than `most` bytes, or takes longer than ten seconds.
    """
    too_large = HTTPException(413, f"more than {most:,} bytes", {"Connection": "close"})
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, "the content came too slowly", {"Connection": "close"}) from None
    return bytes(body)
