"""Who waits for whom: requests put to the application itself, whose pictures are read when the test lets them be."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from digitrec.app.limits import BODY, Addresses
from digitrec.app.samples import Samples
from digitrec.app.server import PICTURES, build
from digitrec.preprocessing.picture import Picture
from digitrec.recognition.page import Page
from digitrec.recognition.recognizer import Recognizer
from tests.app.drawn import ink_of
from tests.app.serving import size_of
from tests.export.networks import made
from tests.handwriting.situations import file
from tests.networks import saved

pytestmark = pytest.mark.anyio
INK = ink_of(3)
FIVE = file(5, "mouse", 3)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Held(Recognizer):
    """Reads pictures as soon as its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.begun: list[Picture] = []

    def read_pages(self, pictures: Iterable[Picture]) -> Iterator[Page]:
        pictures = list(pictures)
        self.begun += pictures
        assert self.gate.wait(60)
        return super().read_pages(pictures)


class Client:
    """Asks the application as a server would."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._asked = 0

    async def ask(
        self, path: str, body: bytes = b"", leave: asyncio.Event | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the answer; `leave` is when the client goes."""
        route, _, query = path.partition("?")
        self._asked += 1
        scope = {
            "type": "http",
            "method": "POST",
            "path": route,
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), (b"content-type", BODY.encode())],
            "client": (f"client {self._asked}", 1),  # each has a rate of its own
        }
        parts: list[Message] = [{"type": "http.request", "body": body}]
        sent: list[Message] = []

        async def receive() -> Message:
            if parts:
                return parts.pop()
            await (leave or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        content = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], headers, json.loads(content or b"null")

    async def picture(
        self, content: bytes = FIVE, leave: asyncio.Event | None = None
    ) -> tuple[int, dict[str, str], Any]:
        return await self.ask("/api/picture", content, leave)


def client_of(folder: Path, recognizer: Recognizer, pages: Recognizer) -> Client:
    samples = Samples(folder / "samples", recognizer.class_names)
    return Client(build(recognizer, pages, "made", samples, Addresses(80)))


@asynccontextmanager
async def reading(client: Client, held: Held, number: int = 1) -> "AsyncIterator[list[asyncio.Task[Any]]]":
    """Meanwhile so many pictures have a place; all are answered in the end."""
    tasks = [asyncio.create_task(client.picture()) for _ in range(number)]
    try:
        async with asyncio.timeout(60):
            while not held.begun:
                await asyncio.sleep(0.01)
        yield tasks
    finally:
        held.gate.set()
        answers = await asyncio.gather(*tasks)
    assert {(status, answer["text"]) for status, _, answer in answers} == {(200, "5")}


async def test_a_sample_is_kept_while_a_picture_is_read(tmp_path: Path) -> None:
    held = Held()
    client = client_of(tmp_path, Recognizer(), held)
    async with reading(client, held), asyncio.timeout(60):
        status, _, answer = await client.ask(f"/api/save?{size_of(INK)}&label=3", INK.tobytes())
        assert (status, answer["counts"]) == (200, {"3": 1})
        for path in ("read", "peek"):
            assert (await client.ask(f"/api/{path}?{size_of(INK)}", INK.tobytes()))[0] == 200


async def test_a_picture_too_many_is_refused_before_it_is_taken(tmp_path: Path) -> None:
    held = Held()
    client = client_of(tmp_path, Recognizer(), held)
    async with reading(client, held, PICTURES), asyncio.timeout(60):
        unread = bytes(21 * 2**20)  # too large, had it been looked at
        status, headers, answer = await client.picture(unread)
        assert (status, headers["retry-after"]) == (503, "1")
        assert answer == {"error": "too many pictures at once, wait a moment"}
    assert (await client.picture())[0] == 200, "there is room again"


async def test_no_work_begins_for_a_client_that_has_left(tmp_path: Path) -> None:
    held = Held()
    client = client_of(tmp_path, Recognizer(), held)
    async with reading(client, held), asyncio.timeout(60):
        leave = asyncio.Event()
        waiting = [asyncio.create_task(client.picture(b"of someone else", leave)) for _ in range(PICTURES - 1)]
        await asyncio.sleep(0.1)
        leave.set()
        await asyncio.gather(*waiting)
        later = [asyncio.create_task(client.picture()) for _ in range(PICTURES - 1)]  # their places are free
        await asyncio.sleep(0)
    assert [status for status, *_ in await asyncio.gather(*later)] == [200] * (PICTURES - 1)
    assert set(held.begun) == {FIVE}


async def test_feature_maps_are_those_of_the_own_drawing(tmp_path: Path) -> None:
    """Reads and looks inside use the same modules."""
    checkpoint = saved(made("cnn"), tmp_path / "cnn.ckpt")
    client = client_of(tmp_path, Recognizer(checkpoint), Recognizer(checkpoint))
    others = [ink_of(label) for label in range(10)]

    async def look() -> Any:
        return (await client.ask(f"/api/peek?{size_of(INK)}", INK.tobytes()))[2]

    async def read_on(done: asyncio.Event) -> None:
        while not done.is_set():
            inks = [client.ask(f"/api/read?{size_of(ink)}", ink.tobytes()) for ink in others]
            await asyncio.gather(client.picture(), *inks)

    quiet, done = await look(), asyncio.Event()
    readers = [asyncio.create_task(read_on(done)) for _ in range(2)]
    try:
        assert [await look() for _ in range(60)] == [quiet] * 60
    finally:
        done.set()
        await asyncio.gather(*readers)
