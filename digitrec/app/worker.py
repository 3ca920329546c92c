"""Threads for the work of requests, with a limit on how many may wait."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from digitrec.recognition.reading import Reading
from digitrec.recognition.recognizer import Ink

Result = TypeVar("Result")

LARGEST = 32  # drawings in a batch
WAITING = 256  # drawings; more would wait too long to be of use


class Worker:
    """Does one thing after another in a thread of its own, for as many requests at once as have a place."""

    def __init__(self, things: str, most: int) -> None:
        self._things = things
        self._free = most
        self._thread = ThreadPoolExecutor(1, things)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place, taken before a request's content is read into memory.

        Raises:
            HTTPException: none is free.
        """
        if not self._free:
            raise _too_many(self._things)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def do(self, function: Callable[..., Result], *arguments: object) -> Result:
        """The function's result; if the awaiting task is cancelled before it starts, it never does."""
        job = self._thread.submit(function, *arguments)
        try:
            return await asyncio.wrap_future(job)
        finally:
            job.cancel()

    async def do_for(self, request: Request, function: Callable[..., Result], *arguments: object) -> Result:
        """The same for a request whose content has been read, as long as its client is connected.

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


class Batches:
    """Reads drawings of many clients together: those that arrive while the network works form the next batch.

    Args:
        read: inks (H, W) in [0, 1] -> their readings.
        worker: in whose thread it is called.
    """

    def __init__(self, read: Callable[[list[Ink]], list[Reading]], worker: Worker) -> None:
        self._read = read
        self._worker = worker
        self._waiting: list[tuple[Ink, asyncio.Future[Reading]]] = []
        self._working: asyncio.Task[None] | None = None

    async def read(self, ink: Ink) -> Reading:
        """Read ink (H, W) in [0, 1].

        Raises:
            HTTPException: too many are waiting.
        """
        if len(self._waiting) >= WAITING:
            raise _too_many("drawings")
        future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._waiting.append((ink, future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            futures = [future for _, future in batch]
            try:
                readings = await self._worker.do(self._read, [ink for ink, _ in batch])
            except Exception as error:  # each request gets it
                for future in futures:
                    if not future.done():
                        future.set_exception(error)
            else:
                for future, reading in zip(futures, readings, strict=True):
                    if not future.done():  # its client may have left
                        future.set_result(reading)


def _too_many(things: str) -> HTTPException:
    return HTTPException(503, f"too many {things} at once, wait a moment", {"Retry-After": "1"})


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
