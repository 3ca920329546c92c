"""How long the page waits while several people draw: scripts/load [--clients 8] [--seconds 10]. Loopback only."""

import argparse
import http.client
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

SIDE = 160  # pixels of the page's sheet
STATES = 20  # of each digit, from its first point to its last


class Drawing(NamedTuple):
    """Ink as the page sends it."""

    width: int
    height: int
    data: bytes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/load", description=__doc__)
    parser.add_argument("--clients", type=int, default=8, help="that draw at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of drawing (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=33, help="ms from question to question (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    # Forked before torch is imported: clients shall be light, and die with this program.
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(arguments.clients)]
    clients = [context.Process(target=draw, args=(theirs,), daemon=True) for _, theirs in pipes]
    for client in clients:
        client.start()
    drawings = made_drawings()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "digitrec.app", "--port", "0", "--no-browser", "--save", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(re.findall(r":(\d+)/", server.stdout.readline())[0])
                for ours, _ in pipes:
                    ours.send((port, drawings, arguments.seconds, arguments.pause / 1000))
                times = [seconds for ours, _ in pipes for seconds in ours.recv()]
            finally:
                server.terminate()
    report(times, arguments)


def draw(pipe: Connection) -> None:
    """One client: asks about each state of a drawing, one question at a time, and notes how long it waits."""
    port, drawings, seconds, pause = pipe.recv()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/octet-stream"}
    times = []
    end = time.perf_counter() + seconds
    place = os.getpid() * 37 % len(drawings)
    while (start := time.perf_counter()) < end:
        ink = drawings[place]
        place = (place + 1) % len(drawings)
        connection.request("POST", f"/api/read?width={ink.width}&height={ink.height}", ink.data, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        times.append(time.perf_counter() - start)
        assert response.status == 200, answer
        time.sleep(max(0.0, start + pause - time.perf_counter()))
    pipe.send(times[5:])  # the first ones connect


def made_drawings() -> list[Drawing]:
    """Digits written by rule, each growing as a pen draws it."""
    import numpy as np
    import torch

    from digitrec.data.synthetic.ink import paint
    from digitrec.data.synthetic.strokes import write
    from digitrec.preprocessing.framing import crop

    strokes = write(torch.arange(10), torch.Generator().manual_seed(4), resolution=STATES)
    drawings = []
    for points, pressure in zip(strokes.points, strokes.pressure, strict=True):
        present = pressure[:, 0] > 0
        places, pen = 0.15 * SIDE + 0.7 * SIDE * points[present], 0.045 * SIDE * pressure[present]
        for last in range(2, STATES + 1):
            ink = crop(np.asarray(paint(places[:, :last], pen[:, :last], (SIDE, SIDE))))
            drawings.append(Drawing(ink.shape[1], ink.shape[0], ink.tobytes()))
    return drawings


def network_alone() -> float:
    """Median seconds of the network for one image."""
    import numpy as np

    from digitrec.recognition.recognizer import Recognizer

    recognizer, image = Recognizer(), np.zeros((1, 28, 28), np.uint8)
    times = []
    for _ in range(300):
        start = time.perf_counter()
        recognizer.probabilities(image)
        times.append(time.perf_counter() - start)
    return statistics.median(times[50:])


def report(times: list[float], arguments: argparse.Namespace) -> None:
    """Print the quantiles in milliseconds."""
    cuts = statistics.quantiles(times, n=100)
    figures = {
        "clients": arguments.clients,
        "answers_per_second": round(len(times) / arguments.seconds),
        "p50_ms": round(1000 * cuts[49], 2),
        "p90_ms": round(1000 * cuts[89], 2),
        "p99_ms": round(1000 * cuts[98], 2),
        "longest_ms": round(1000 * max(times), 2),
        "network_alone_p50_ms": round(1000 * network_alone(), 2),
    }
    print(json.dumps(figures) if arguments.json else "\n".join(f"{name:22}{value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
