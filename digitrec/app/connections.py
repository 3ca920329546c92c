"""Limits of connections that uvicorn lacks: deadlines for a request, a share for each address, and room for new ones.

Its own, `limit_concurrency` and `timeout_keep_alive`, are set in `digitrec.app.__main__`.
"""

import asyncio
import ipaddress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 200
PER_ADDRESS = 40  # from one address other than this machine
HEAD_SECONDS = 10.0  # for a request's head, for which uvicorn would wait without end
ANSWER_SECONDS = 90.0  # for its content and the response; the page gives up after 60


class Connection(H11Protocol):
    """A connection with deadlines; of all idle ones, the longest idle makes room for a new one."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for a request, or close one connection."""
        super().connection_made(transport)
        self._allow(HEAD_SECONDS)
        others = [other for other in self.connections if isinstance(other, Connection) and other is not self]
        neighbours = [other for other in others if self.client and other.client and other.client[0] == self.client[0]]
        if self.client and not _is_local(self.client[0]) and len(neighbours) >= PER_ADDRESS:
            self._end()
        elif len(others) >= CONNECTIONS - 1 and (idle := [other for other in others if not other.is_busy]):
            min(idle, key=lambda other: other._idle_since)._end()

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request."""
        was_busy = self.is_busy
        super().data_received(data)
        if self.is_busy and not was_busy:
            self._allow(ANSWER_SECONDS)
        elif not self.is_busy and self._deadline is None:
            self._allow(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._idle_since = self.loop.time()
        if self.is_busy:
            self._allow(ANSWER_SECONDS)  # its head had come already
        elif not self.transport.is_closing():
            self._allow(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        super().connection_lost(exc)
        self._allow(None)

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for its response."""
        return self.cycle is not None and not self.cycle.response_complete

    def _allow(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self.connections.discard(self)  # its place is free before the loop reports its loss
        self.transport.abort()


def _is_local(address: str) -> bool:
    number = ipaddress.ip_address(address)
    return (getattr(number, "ipv4_mapped", None) or number).is_loopback
