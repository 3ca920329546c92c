"""A thread for work of one kind: how many may wait for it, and nothing is begun for someone who has left."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


class Worker:
    """Does one thing after another.

    Args:
        things: that it works on, for people.
        most: requests that may have a place at once.
    """

    def __init__(self, things: str, most: int) -> None:
        self._things = things
        self._free = most
        self._thread = ThreadPoolExecutor(1, things)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place, to be taken before a request's content is: that fills the memory.

        Raises:
            HTTPException: none is free.
        """
        if not self._free:
            raise HTTPException(503, f"too many {self._things} at once, wait a moment", {"Retry-After": "1"})
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def do(self, function: Callable[..., Result], *arguments: object) -> Result:
        """The function's result; it is not begun if whoever awaits it gives up before."""
        job = self._thread.submit(function, *arguments)
        try:
            return await asyncio.wrap_future(job)
        finally:
            job.cancel()

    async def do_for(self, request: Request, function: Callable[..., Result], *arguments: object) -> Result:
        """The same for a request whose content has come, as long as its client is there.

        Raises:
            ClientDisconnect: it has left.
        """
        job, leaving = asyncio.ensure_future(self.do(function, *arguments)), asyncio.ensure_future(_leaving(request))
        try:
            await asyncio.wait((job, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not job.done():
                raise ClientDisconnect
            return await job
        finally:
            job.cancel()
            leaving.cancel()


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
