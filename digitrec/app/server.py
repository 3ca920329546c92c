"""The application: reads drawings and pictures, keeps samples, serves the page's files."""

import base64
import mimetypes
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from digitrec.app.limits import Addresses, Guard, read_body, refusal
from digitrec.app.samples import Samples
from digitrec.app.worker import Batches, Worker
from digitrec.errors import DataError, DigitrecError
from digitrec.recognition.networks.network import FeatureMaps
from digitrec.recognition.reading import Reading
from digitrec.recognition.recognizer import Ink, Recognizer
from digitrec.system.wording import first_line, shown

mimetypes.add_type("text/javascript", ".js")  # systems may know another type, for which browsers run no script
STATIC = Path(__file__).parent / "static"
INK_SIDE = 256  # pixels, at most
SIDE = re.compile(r"[1-9]\d{0,2}", re.ASCII)
PICTURE_BYTES = 20 * 2**20
PICTURES, LOOKS, SAVES = 4, 16, 16  # requests at once
DOT = np.ones((20, 20), np.float32)


def build(recognizer: Recognizer, pages: Recognizer, name: str, samples: Samples, addresses: Addresses) -> ASGIApp:
    """The application.

    `recognizer` reads drawings; `pages` pictures, in another thread: the same network, opened once more. People see the
    network's `name`.
    """
    api = Api(recognizer, pages, name, samples)
    routes = [
        Route("/about", api.about),
        Route("/read", api.read, methods=["POST"]),
        Route("/picture", api.picture, methods=["POST"]),
        Route("/save", api.save, methods=["POST"]),
        Route("/peek", api.peek, methods=["POST"]),
    ]
    places = [Mount("/api", routes=routes), Mount("/", StaticFiles(directory=STATIC, html=True))]
    handlers = {HTTPException: _refuse, DigitrecError: _explain, ClientDisconnect: _leave, Exception: _fail}
    return Guard(Starlette(routes=places, exception_handlers=handlers), addresses)


class Api:
    """JSON responses; images are bytes in base64."""

    def __init__(self, recognizer: Recognizer, pages: Recognizer, name: str, samples: Samples) -> None:
        self._recognizer = recognizer
        self._pages = pages
        self._name = name
        self._samples = samples
        self._looks = Worker("looks inside", LOOKS)  # drawings are read there too: one network, one thread
        self._batches = Batches(recognizer.read_ink, self._looks)
        self._pictures = Worker("pictures", PICTURES)  # one takes seconds; drawings and samples don't wait for it
        self._saves = Worker("samples", SAVES)
        self._can = {"pictures": True, "correct": True, "peek": bool(recognizer.feature_maps(DOT))}

    async def about(self, _request: Request) -> Response:
        """The network and what the page can do with it."""
        return JSONResponse(
            {
                "classes": self._recognizer.class_names,
                "name": self._name,
                "can": self._can,
                "folder": str(shown(self._samples.folder.absolute())),
            }
        )

    async def read(self, request: Request) -> Response:
        """Ink -> its reading."""
        return JSONResponse(self._reading_json(await self._batches.read(await _ink(request))))

    async def picture(self, request: Request) -> Response:
        """A picture's file -> the digits on it."""
        with self._pictures.place():
            content = await read_body(request, PICTURE_BYTES)
            return JSONResponse(await self._pictures.do_for(request, self._read_picture, content))

    async def save(self, request: Request) -> Response:
        """Ink and its label -> the file of the sample."""
        with self._saves.place():
            ink = await _ink(request)
            if not ink.any():
                raise HTTPException(400, "there is no ink to save")
            label = request.query_params.get("label", "")
            return JSONResponse(await self._saves.do_for(request, self._save, ink, label))

    async def peek(self, request: Request) -> Response:
        """Ink -> feature maps of each convolution."""
        with self._looks.place():
            layers = await self._looks.do_for(request, self._recognizer.feature_maps, await _ink(request))
            return JSONResponse({"layers": [_layer_json(layer) for layer in layers]})

    def _save(self, ink: Ink, label: str) -> dict[str, Any]:
        file = self._samples.save(ink, label)
        return {"file": str(shown(file.absolute())), "counts": self._samples.counts()}

    def _read_picture(self, content: bytes) -> dict[str, Any]:
        (page,) = self._pages.read_pages([content])
        if not page.is_readable:
            raise DataError(page.problem)
        found = [digit for line in page.lines for digit in line.from_left]
        return {
            "width": page.width,
            "height": page.height,
            "text": page.text,
            "problem": page.problem,
            "note": page.note,
            "digits": [{**self._reading_json(digit.reading), "box": list(map(round, digit.box))} for digit in found],
        }

    def _reading_json(self, reading: Reading) -> dict[str, Any]:
        assert reading.image is not None, "only a picture that can't be read has none"
        return {
            "label": reading.label,
            "problem": reading.problem,
            "probabilities": [round(reading.probabilities.get(name, 0.0), 6) for name in self._recognizer.class_names],
            "image": _base64(reading.image),
        }


async def _ink(request: Request) -> Ink:
    """A request's ink, (H, W) in [0, 1]."""
    sides = [request.query_params.get(name, "") for name in ("width", "height")]
    if not all(SIDE.fullmatch(side) and int(side) <= INK_SIDE for side in sides):
        raise HTTPException(400, f"expected a width and a height of 1 to {INK_SIDE} pixels")
    width, height = map(int, sides)
    body = await read_body(request, INK_SIDE**2)
    if len(body) != width * height:
        raise HTTPException(400, f"{len(body):,} bytes, expected {width} x {height}, one for each pixel")
    return np.frombuffer(body, np.uint8).reshape(height, width).astype(np.float32) / np.float32(255)


def _layer_json(layer: FeatureMaps) -> dict[str, Any]:
    _, height, width = layer.maps.shape
    return {"name": layer.name, "height": height, "width": width, "maps": [_base64(found) for found in layer.maps]}


def _base64(image: NDArray[np.uint8]) -> str:
    return base64.b64encode(image.tobytes()).decode()


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error)


async def _explain(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": first_line(error).rstrip(".")}, 422 if isinstance(error, DataError) else 400)


async def _leave(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)  # the client has left


async def _fail(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "digitrec failed; see its terminal"}, 500)
