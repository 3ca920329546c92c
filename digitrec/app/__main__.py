"""Draw digits and see them read: python -m digitrec.app."""

import argparse
import errno
import importlib.util
import os
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from digitrec.errors import DigitrecError, UsageError, needs_extra
from digitrec.run_folder import named_network
from digitrec.system.terminal import Parser, end_with, folder

if TYPE_CHECKING:  # imported once the port is taken: the extra may be missing, and torch takes seconds
    from digitrec.app.limits import Addresses

NEEDED = ("starlette", "uvicorn")
LOOPBACK = "127.0.0.1"
PORT = 8000
SAMPLES = Path("outputs/samples")
KEPT_OPEN = 60  # seconds without a request
SWITCH = 0.0005  # seconds between the thread of the network and that of the connections


def main() -> None:
    """Entry point of the command line.

    Raises:
        SystemExit: 1 failed, 2 wrong usage, 130 interrupted, which is how it usually ends.
    """
    parser = Parser(prog="python -m digitrec.app", description=__doc__)
    parser.add_argument("--checkpoint", help="run folder, .ckpt, .safetensors, .onnx; default: the shipped weights")
    parser.add_argument("--port", type=_port, default=PORT, help="0 takes any that is free (default: %(default)s)")
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        help="address to listen at (default: %(default)s, this machine only); others only in a network that you trust",
    )
    parser.add_argument("--save", type=folder, default=SAMPLES, metavar="FOLDER",
                        help="where corrections go when Save is pressed (default: %(default)s)")  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="don't open the page")
    arguments = parser.parse_args()
    end_with(lambda: _serve(arguments))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, got {text}")
    return int(text)


def _serve(arguments: argparse.Namespace) -> None:
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise UsageError(needs_extra("the page", "app"))
    arguments.checkpoint = named_network(arguments.checkpoint)
    with _listen(arguments.host, arguments.port) as listening:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: one digit is no work for two threads
        import uvicorn

        from digitrec.app.connections import CONNECTIONS, Connection
        from digitrec.app.limits import Addresses
        from digitrec.app.samples import Samples
        from digitrec.app.server import build
        from digitrec.recognition.recognizer import Recognizer

        addresses = Addresses(listening.getsockname()[1], arguments.host)
        recognizer, pages = (Recognizer(arguments.checkpoint) for _ in range(2))
        name = "the shipped weights" if arguments.checkpoint is None else Path(arguments.checkpoint).name
        app = build(recognizer, pages, name, Samples(arguments.save, recognizer.class_names), addresses)
        sys.setswitchinterval(SWITCH)
        _welcome(addresses, listening, name, arguments)
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_level="error",  # not of each invalid request
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEPT_OPEN,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything slow is imported, so that an occupied port is reported at once."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(address, family=family, dualstack_ipv6=both)
        # Connections inherit it; else the second part of a response waits 40 ms for the first one's acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except socket.gaierror as error:
        raise DigitrecError(f"cannot listen at {host!r}: {error.strerror}; next: another --host") from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise DigitrecError(f"cannot listen at {host}: no address of this machine; next: another --host") from error
        another = PORT if error.errno == errno.EACCES else port + 1 if 0 < port < 65535 else 0
        reason = os.strerror(error.errno) if error.errno else error
        raise DigitrecError(f"cannot listen at {host}, port {port}: {reason}; next: try --port {another}") from error
    return listening


def _welcome(addresses: "Addresses", listening: socket.socket, name: str, arguments: argparse.Namespace) -> None:
    url = f"http://{_host(listening, arguments.host)}:{addresses.port}/"
    print(f"Draw at {url} with {name}; Ctrl-C stops it.", flush=True)  # noqa: T201
    if addresses.beyond_this_machine:
        print(f"warning: other machines reach it too, without a password ({arguments.host})", file=sys.stderr)  # noqa: T201
    if not arguments.no_browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _host(listening: socket.socket, host: str) -> str:
    """Host in the URL for a browser on this machine, also where the socket listens at every address."""
    bound = listening.getsockname()[0]
    if bound == "::" and listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        return "[::1]"
    if bound in ("0.0.0.0", "::"):  # noqa: S104 - only compared with
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
