"""Connections that are held and not used must not keep others out."""

import asyncio
import ipaddress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 200
OF_A_STRANGER = 40  # from one address that is not this machine's own
HEAD_SECONDS = 10.0  # for a request's head, for which uvicorn would wait without end
ANSWER_SECONDS = 90.0  # for its content and its answer, which the page gives up after 60


class Connection(H11Protocol):
    """A connection with deadlines, which gives way to a new one when it has been silent for longer than all others."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._silent_since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for a request, if there is room."""
        super().connection_made(transport)
        self._allow(HEAD_SECONDS)
        others = [other for other in self.connections if isinstance(other, Connection) and other is not self]
        neighbours = [other for other in others if self.client and other.client and other.client[0] == self.client[0]]
        if self.client and not _is_here(self.client[0]) and len(neighbours) >= OF_A_STRANGER:
            self._end()
        elif len(others) >= CONNECTIONS - 1 and (silent := [other for other in others if not other.is_asked]):
            min(silent, key=lambda other: other._silent_since)._end()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        was_asked = self.is_asked
        super().data_received(data)
        if self.is_asked and not was_asked:
            self._allow(ANSWER_SECONDS)
        elif not self.is_asked and self._deadline is None:
            self._allow(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request, at first as long as uvicorn does."""
        super().on_response_complete()
        self._silent_since = self.loop.time()
        if self.is_asked:
            self._allow(ANSWER_SECONDS)  # its head had come already
        elif not self.transport.is_closing():
            self._allow(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._allow(None)

    @property
    def is_asked(self) -> bool:
        """Whether a request waits for its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _allow(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self.connections.discard(self)  # its place is free before the loop tells of its loss
        self.transport.abort()


def _is_here(address: str) -> bool:
    number = ipaddress.ip_address(address)
    return (getattr(number, "ipv4_mapped", None) or number).is_loopback
