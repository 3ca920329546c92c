"""Connections that are held and not used, and the addresses under which the server is reached."""

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digitrec.app.connections import CONNECTIONS, HEAD_SECONDS, PER_ADDRESS
from tests.app.serving import Served, serve

HEAD = b"GET /api/about HTTP/1.1\r\nHost: localhost:%d\r\n"


def connect(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port), timeout=30)


def own_addresses() -> Iterator[str]:
    """Of this machine in its network, if it has any; nothing is sent."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            try:
                asking.connect((elsewhere, 9))
            except OSError:
                continue
            yield asking.getsockname()[0]


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def test_idle_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    with serve(tmp_path) as server, ExitStack() as held:
        for _ in range(2 * CONNECTIONS):
            held.enter_context(connect("127.0.0.1", server.port))
        for _ in range(5):
            assert server.ask("/api/about").status == 200


@pytest.mark.slow
def test_a_request_that_does_not_come_is_given_up(served: Served) -> None:
    """Neither silence nor single bytes hold a connection; one that has been answered stays."""
    head = HEAD % served.port
    with ExitStack() as held:
        silent, begun, answered, dripping = (held.enter_context(connect("127.0.0.1", served.port)) for _ in range(4))
        begun.sendall(head)
        answered.sendall(head + b"\r\n")
        dripping.sendall(head + b"Content-Length: 1000\r\n\r\n")  # of which nobody reads the content
        for connection in (answered, dripping):
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        end = time.monotonic() + HEAD_SECONDS + 60
        while any(map(is_open, (silent, begun, dripping))):
            assert time.monotonic() < end
            for connection in (begun, dripping):
                with suppress(OSError):  # it may be closed
                    connection.sendall(b"x")
            time.sleep(0.5)
        assert is_open(answered)
        answered.setblocking(True)
        answered.sendall(head + b"\r\n")
        assert answered.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_another_machine_holds_a_limited_number_of_connections(tmp_path: Path) -> None:
    address = next(own_addresses(), None)
    if address is None:
        pytest.skip("this system has no address in a network")
    with serve(tmp_path, "--host", address) as server, ExitStack() as held:
        connections = [held.enter_context(connect(address, server.port)) for _ in range(PER_ADDRESS + 5)]
        end = time.monotonic() + HEAD_SECONDS / 2
        while sum(map(is_open, connections)) > PER_ADDRESS:
            assert time.monotonic() < end
        assert all(map(is_open, connections[:PER_ADDRESS]))


@pytest.mark.slow
@pytest.mark.parametrize("host", ["::", "::1", "0.0.0.0", "localhost"])  # noqa: S104 - what is tested
def test_the_address_that_is_printed_answers_and_a_warning_says_when_others_may_ask(tmp_path: Path, host: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("this system has no IPv6")
    with serve(tmp_path, "--host", host) as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        connection.request("GET", "/api/about")
        assert connection.getresponse().status == 200
        connection.close()
        server.process.send_signal(signal.SIGINT)
        _, errors = server.process.communicate(timeout=240)
        warning = f"warning: other machines reach it too, without a password ({host})\n"
        assert (server.process.returncode, errors) == (130, warning if host in ("::", "0.0.0.0") else "")  # noqa: S104
