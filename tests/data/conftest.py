import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from tests.idx import idx_file


class Mirror:
    """A web server on 127.0.0.1 that serves ``files`` and answers its next requests with ``faults``."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.draw: Callable[[], str | None] = lambda: None
        self.stalled = threading.Event()
        self.release = threading.Event()
        self.delay = 0.0
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/data/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.removeprefix("/data/")
        self.requests.append(name)
        fault = self.faults.pop(0) if self.faults else self.draw()
        if fault in ("404", "503") or name not in self.files:
            handler.send_error(int(fault or 404))
            return
        body = self.files[name]
        sent = {"wrong": body[::-1], "truncated": body[: len(body) // 2]}.get(fault or "", body)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(sent)))
        handler.end_headers()
        half = len(sent) // 2
        handler.wfile.write(sent[:half])
        if fault == "dropped":
            return
        if fault == "stalled":
            self.stalled.set()
            self.release.wait(30)
        time.sleep(self.delay)
        handler.wfile.write(sent[half:])

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    yield server
    server.close()


@pytest.fixture(scope="session")
def idx() -> Callable[[np.ndarray], bytes]:
    """Write an array of uint8 or int32 in the IDX format."""
    return idx_file


@pytest.fixture(scope="session")
def gz() -> Callable[[bytes], bytes]:
    return lambda content: gzip.compress(content, mtime=0)
