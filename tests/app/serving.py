"""The application in a process of its own."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.app.drawn import Bytes

BODY = {"Content-Type": "application/octet-stream"}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Served(NamedTuple):
    """A running application, the folder where it saves, and the address that it printed."""

    port: int
    samples: Path
    process: "subprocess.Popen[str]"
    url: str

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
        source: str = "127.0.0.1",
    ) -> Answer:
        """One request, sent to a path as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        try:
            sent = {**(BODY if body is not None else {}), **(headers or {})}
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def read(self, ink: Bytes) -> Answer:
        return self.ask(f"/api/read?{size_of(ink)}", ink.tobytes())

    def save(self, ink: Bytes, label: str) -> Answer:
        return self.ask(f"/api/save?{size_of(ink)}&label={label}", ink.tobytes())


def size_of(ink: Bytes) -> str:
    return f"width={ink.shape[1]}&height={ink.shape[0]}"


@contextmanager
def serve(folder: Path, *arguments: str) -> Iterator[Served]:
    """Run the real command in a folder; it answers by the time that this is entered."""
    port = () if "--port" in arguments else ("--port", "0")
    samples = folder / "samples"
    command = [sys.executable, "-m", "digitrec.app", "--no-browser", "--save", str(samples), *port, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            ((url, port),) = re.findall(r"(http://\S+:(\d+)/)", line)
            yield Served(int(port), samples, process, url)
        finally:
            process.terminate()
