"""Drawings that arrive while the network works are read together afterwards."""

import asyncio
from collections.abc import Callable

from starlette.exceptions import HTTPException

from digitrec.app.worker import Worker
from digitrec.recognition.reading import Reading
from digitrec.recognition.recognizer import Ink

LARGEST = 32  # drawings read together
WAITING = 256  # drawings; more would wait too long to be of use


class Batches:
    """Reads drawings of many clients in few calls.

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
        """What is read of ink (H, W) in [0, 1].

        Raises:
            HTTPException: too many are waiting.
        """
        if len(self._waiting) >= WAITING:
            raise HTTPException(503, "too many drawings at once, wait a moment", {"Retry-After": "1"})
        future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._waiting.append((ink, future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            inks = [ink for ink, _ in batch]
            try:
                readings = await self._worker.do(self._read, inks)
            except Exception as error:  # whoever waits shall hear of it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), reading in zip(batch, readings, strict=True):
                    if not future.done():  # its client may have left
                        future.set_result(reading)
