import base64
import io
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitrec.app.__main__ import main
from digitrec.app.limits import HEADERS
from digitrec.app.server import INK_SIDE, PICTURE_BYTES, STATIC
from digitrec.errors import needs_extra
from digitrec.export import onnx_graph
from digitrec.export.trained import open_trained
from digitrec.models.mlp import MLP
from digitrec.recognition.recognizer import Recognizer
from tests.app.drawn import Bytes, ink_of
from tests.app.serving import BODY, Answer, Served, serve, size_of
from tests.command import Outcome
from tests.handwriting.situations import file
from tests.networks import saved

ZERO = np.zeros((40, 30), np.uint8)


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


# What it reads


def test_it_says_what_it_reads_with(served: Served) -> None:
    about = served.ask("/api/about").json
    assert about["classes"] == list("0123456789")
    assert about["can"] == {"pictures": True, "correct": True, "peek": True}
    assert about["name"] == "the shipped weights"
    assert about["folder"] == "samples"


def test_many_at_once_each_get_the_answer_to_their_own_drawing(served: Served) -> None:
    inks = [ink_of(label, seed) for seed in range(4) for label in range(10)]
    with ThreadPoolExecutor(16) as clients:
        answers = [answer.json for answer in clients.map(served.read, inks)]
    expected = Recognizer().read_ink([ink.astype(np.float32) / np.float32(255) for ink in inks])
    for answer, reading in zip(answers, expected, strict=True):
        assert answer["label"] == reading.label
        assert answer["probabilities"][int(reading.label or 0)] == pytest.approx(reading.confidence, abs=1e-4)
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
        assert reading.image is not None
        assert base64.b64decode(answer["image"]) == reading.image.tobytes()
    right = sum(answer["label"] == str(n % 10) for n, answer in enumerate(answers))
    assert right >= 38


def test_a_sheet_without_ink_is_no_digit(served: Served) -> None:
    answer = served.read(ZERO).json
    assert (answer["label"], answer["problem"]) == (None, "not a digit: no ink found")
    assert answer["probabilities"] == [0] * 10


@pytest.mark.parametrize("shape", [(1, 1), (1, INK_SIDE), (INK_SIDE, 1), (INK_SIDE, INK_SIDE), (2, 3)])
def test_any_ink_gets_an_answer(served: Served, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for ink in (noise, np.full(shape, 255, np.uint8), np.full(shape, 1, np.uint8)):
        assert served.read(ink).status == 200


def test_a_picture_is_read(served: Served) -> None:
    page = served.ask("/api/picture", file(5, "ballpoint_photo", 3)).json
    assert page["text"] == "5"
    assert [digit["label"] for digit in page["digits"]] == ["5"]


def test_the_inside_of_the_network_is_shown(served: Served) -> None:
    ink = ink_of(8)
    layers = served.ask(f"/api/peek?{size_of(ink)}", ink.tobytes()).json["layers"]
    assert len(layers) == 2
    for layer in layers:
        maps = [np.frombuffer(base64.b64decode(found), np.uint8) for found in layer["maps"]]
        assert all(found.size == layer["width"] * layer["height"] for found in maps)
        assert max(found.max() for found in maps) == 255


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp.ckpt", "mlp.onnx"])
def test_another_network_by_its_checkpoint(name: str, tmp_path: Path) -> None:
    checkpoint = saved(MLP(), tmp_path / "mlp.ckpt")
    if name != checkpoint.name:
        onnx_graph.write(open_trained(checkpoint), tmp_path / name, "uint8")
    with serve(tmp_path, "--checkpoint", name) as server:
        about = server.ask("/api/about").json
        assert (about["name"], about["can"]["peek"]) == (name, False)
        assert server.read(ink_of(1)).status == 200


# What it keeps


def leave(server: Served) -> None:
    """Ask, and go before the content has been sent."""
    head = f"POST /api/picture HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: {BODY['Content-Type']}\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"{head}Content-Length: 9\r\n\r\n1".encode())


def test_nothing_is_kept_unless_asked_and_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    with serve(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)):
        server.read(ink_of(3))
        server.ask("/api/picture", file(3, "mouse", 1))
        server.ask(f"/api/peek?{size_of(ZERO)}", ZERO.tobytes())
        assert not list(tmp_path.iterdir())
        saved = server.save(ink_of(3), "3").json
        assert saved["counts"] == {"3": 1}
        assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")] == [saved["file"]]
        assert Path(saved["file"]).parent == Path("samples/3")
        leave(server)
        assert server.ask("/api/about").status == 200
        server.process.send_signal(signal.SIGINT)
        _, errors = server.process.communicate(timeout=240)
        assert (server.process.returncode, errors) == (130, "")


@pytest.mark.parametrize(
    ("ink", "label", "words"),
    [
        (ink_of(3), "..", "no label '..'"),
        (ink_of(3), "%2e%2e%2fx", "no label '../x'"),
        (ink_of(3), "", "no label ''"),
        (ZERO, "3", "there is no ink to save"),
    ],
)
def test_a_sample_that_cannot_be_kept_is_reported(served: Served, ink: Bytes, label: str, words: str) -> None:
    answer = served.save(ink, label)
    assert answer.status == 400
    assert answer.json["error"].startswith(words)


# Whom it answers


@pytest.mark.parametrize("path", ["/", "/main.js", "/api/about"])
def test_it_answers_to_its_own_names_only(served: Served, path: str) -> None:
    """Which these are is held in test_limits.py."""
    assert served.ask(path, headers={"Host": f"localhost:{served.port}"}).status == 200
    answer = served.ask(path, headers={"Host": f"evil.example:{served.port}"})
    assert (answer.status, list(answer.json)) == (403, ["error"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        ({"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),  # not the name that was asked for
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),  # what a form of another page could send
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_only_its_own_page_or_a_program_may_send(served: Served, headers: dict[str, str], status: int) -> None:
    sent = {name: value.format(port=served.port) for name, value in headers.items()}
    ink = ink_of(1)
    for path in ("read", "peek", "save"):
        answer = served.ask(f"/api/{path}?{size_of(ink)}&label=1", ink.tobytes(), sent)
        assert answer.status == status, answer


def test_no_other_page_is_told_that_it_may_ask(served: Served) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST", **BODY}
    answer = served.ask("/api/save", headers=asked, method="OPTIONS")
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/main.js", "/api/about", "/nowhere", "/api/read"])
def test_browsers_are_told_to_be_strict(served: Served, path: str) -> None:
    headers = served.ask(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "Server" not in headers


# What it refuses


NOWHERE = [
    "/server.py",
    "/../server.py",
    "/%2e%2e/server.py",
    "/..%2fserver.py",
    "//etc/passwd",
    "/api",
    "/a",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_there_is_nothing_but_the_page(served: Served, path: str) -> None:
    answer = served.ask(path)
    assert answer.status == 404
    assert answer.json == {"error": "Not Found"}


def test_every_file_of_the_page_is_served(served: Served) -> None:
    for path in STATIC.iterdir():
        assert served.ask(f"/{path.name}").content == path.read_bytes()
    assert served.ask("/").content == (STATIC / "index.html").read_bytes()


def test_a_wrong_verb_is_refused(served: Served) -> None:
    assert served.ask("/api/read").status == 405
    assert served.ask("/api/about", b"").status == 405
    assert served.ask("/", method="DELETE", headers=BODY).status == 405


@pytest.mark.parametrize("width", ["", "0", "-3", "3.0", "03", "257", "1e2", "%D9%A3", "99999999999999999999", "nan"])
def test_a_size_that_is_none_is_refused(served: Served, width: str) -> None:
    """%D9%A3 is an Arabic three."""
    answer = served.ask(f"/api/read?width={width}&height=4", bytes(12))
    assert answer.status == 400
    assert answer.json["error"] == "expected a width and a height of 1 to 256 pixels"


@pytest.mark.parametrize("length", [0, 11, 13])
def test_ink_of_another_size_than_stated_is_refused(served: Served, length: int) -> None:
    answer = served.ask("/api/read?width=3&height=4", bytes(length))
    assert (answer.status, answer.json) == (400, {"error": f"{length} bytes, expected 3 x 4, one for each pixel"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a picture: the file is empty"),
        (b"GIF89a", "cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no known image format"),
        (file(3, "mouse", 1)[:300], "cannot be read"),
        (png(20_000, 20_000), "more than 100,000,000 pixels"),
    ],
)
def test_a_file_that_is_no_picture_is_reported_in_a_line(served: Served, content: bytes, words: str) -> None:
    answer = served.ask("/api/picture", content)
    assert answer.status == 422
    assert answer.json["error"].startswith("cannot be read as a picture: ")
    assert words in answer.json["error"]
    assert "\n" not in answer.json["error"]


def raw(served: Served, head: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back for bytes sent as they are, as far as they are taken."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(
            f"{head}\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: {BODY['Content-Type']}\r\n".encode()
        )
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        except OSError:
            pass
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
                if b"}" in answer:
                    break
        except OSError:
            pass
        return answer


def test_too_much_is_refused_before_it_is_sent(served: Served) -> None:
    answer = raw(served, "POST /api/picture HTTP/1.1", f"Content-Length: {PICTURE_BYTES + 1}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"more than 20,971,520 bytes" in answer


def test_too_much_without_a_length_is_refused_too(served: Served) -> None:
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    answer = raw(
        served, "POST /api/read?width=9&height=9 HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk
    )
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_what_is_no_request_is_refused(served: Served) -> None:
    for head in ("NONSENSE", "POST /api/read HTTP/1.1\r\nContent-Length: -1", "GET / HTTP/1.1\r\nHost: evil.example"):
        assert raw(served, head, b"\r\n").split(b" ")[1] in (b"400", b"403")
    assert served.ask("/api/about").status == 200


@pytest.mark.slow
def test_content_that_trickles_is_given_up(served: Served) -> None:
    """Ten seconds, and meanwhile others are answered."""
    with ThreadPoolExecutor(1) as slow:
        parts = [b"Content-Length: 100\r\n\r\n", *[b"x"] * 14]
        waiting = slow.submit(raw, served, "POST /api/read?width=10&height=10 HTTP/1.1", *parts, pause=0.8)
        time.sleep(1)
        assert served.read(ink_of(2)).status == 200
        assert waiting.result().startswith(b"HTTP/1.1 408 ")


def test_someone_who_asks_too_often_waits(served: Served) -> None:
    """From another address of this machine, so that the other tests don't."""
    try:
        with ThreadPoolExecutor(4) as clients:
            asked = [clients.submit(served.ask, "/api/picture", b"none", source="127.0.0.2") for _ in range(40)]
            answers: list[Answer] = [answer.result() for answer in asked]
    except OSError:
        pytest.skip("this system has only one address of its own")
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= 5
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)
    assert served.ask("/api/picture", b"none").status == 422


# How it starts and ends


def test_an_occupied_port_is_reported_at_once(run_main: Callable[..., Outcome], served: Served) -> None:
    said = f"cannot listen at 127.0.0.1, port {served.port}: Address already in use; next: try --port {served.port + 1}"
    assert run_main(main, "--no-browser", "--port", str(served.port)) == (1, "", f"error: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--port", "70000"), 2, "expected a number from 0 to 65535, got 70000"),
        (("--port", "x"), 2, "expected a number from 0 to 65535, got x"),
        (("--checkpoint", "nowhere"), 2, "error: nowhere: no such file"),
        (("--host", "nowhere.invalid"), 1, "error: cannot listen at 'nowhere.invalid': "),
        (("--host", "192.0.2.1"), 1, "cannot listen at 192.0.2.1: no address of this machine; next: another --host"),
        (("--host", ""), 2, "error: an argument is empty"),
        (("--save", "taken"), 2, "argument --save: taken is a file, expected a folder"),
        (("--save", "taken/samples"), 2, "argument --save: taken is a file, expected a folder"),
    ],
)
def test_a_wrong_argument_is_reported_in_a_line(
    run_main: Callable[..., Outcome], arguments: tuple[str, ...], code: int, words: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").touch()
    outcome = run_main(main, "--no-browser", "--port", "0", *arguments)
    assert outcome.code == code
    assert words in outcome.err.splitlines()[-1]


def test_without_its_extra_it_says_what_to_install(
    run_main: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused = run_main(main, "--no-browser", "--port", "0")
    assert refused == (2, "", f"error: {needs_extra('the page', 'app')}\n")
