"""What the page asks for: recognition, samples kept, and the page's own files."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from digitrec.app.batches import Batches
from digitrec.app.limits import Addresses, Guard, read_body, refusal
from digitrec.app.samples import Samples
from digitrec.app.worker import Worker
from digitrec.errors import DataError, DigitrecError
from digitrec.recognition.networks.network import FeatureMaps
from digitrec.recognition.page import Digit
from digitrec.recognition.reading import Reading
from digitrec.recognition.recognizer import Ink, Recognizer
from digitrec.wording import first_line, shown

PAGE = Path(__file__).parent / "static"
INDEX = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INK_SIDE = 256  # pixels, at most
SIDE = re.compile(r"[1-9]\d{0,2}", re.ASCII)
PICTURE_BYTES = 20 * 2**20
PICTURES, LOOKS, SAVES = 4, 16, 16  # requests at once
DOT = np.ones((20, 20), np.float32)


def build(recognizer: Recognizer, pages: Recognizer, name: str, samples: Samples, addresses: Addresses) -> ASGIApp:
    """The application.

    Args:
        recognizer: reads drawings.
        pages: reads pictures, in another thread: the same network, opened once more.
        name: of the network, for people.
        samples: where corrections go.
        addresses: under which it may be asked for.
    """
    api = Api(recognizer, pages, name, samples)
    routes = [
        Route("/api/about", api.about),
        Route("/api/read", api.read, methods=["POST"]),
        Route("/api/picture", api.picture, methods=["POST"]),
        Route("/api/save", api.save, methods=["POST"]),
        Route("/api/peek", api.peek, methods=["POST"]),
        *_files(),
    ]
    handlers = {HTTPException: _refuse, DigitrecError: _explain, ClientDisconnect: _leave, Exception: _fail}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), addresses)


class Api:
    """Answers about one network, as JSON; images are bytes in base64."""

    def __init__(self, recognizer: Recognizer, pages: Recognizer, name: str, samples: Samples) -> None:
        self._recognizer = recognizer
        self._pages = pages
        self._name = name
        self._samples = samples
        self._looks = Worker("looks inside", LOOKS)  # where drawings are read too: one network, one thread
        self._batches = Batches(recognizer.read_ink, self._looks)
        self._pictures = Worker("pictures", PICTURES)  # takes seconds, for which no drawing and no sample waits
        self._saves = Worker("samples", SAVES)
        self._can = {"pictures": True, "correct": True, "peek": bool(recognizer.feature_maps(DOT))}

    async def about(self, _request: Request) -> Response:
        """What there is to read with."""
        return JSONResponse(
            {
                "classes": self._recognizer.class_names,
                "name": self._name,
                "can": self._can,
                "folder": str(shown(self._samples.folder.absolute())),
            }
        )

    async def read(self, request: Request) -> Response:
        """Ink -> what it is read as."""
        return JSONResponse(self._plain(await self._batches.read(await _ink(request))))

    async def picture(self, request: Request) -> Response:
        """A picture's file -> the digits on it."""
        with self._pictures.place():
            content = await read_body(request, PICTURE_BYTES)
            return JSONResponse(await self._pictures.do_for(request, self._read_picture, content))

    async def save(self, request: Request) -> Response:
        """Ink and its label -> where it is kept."""
        with self._saves.place():
            ink = await _ink(request)
            if not ink.any():
                raise HTTPException(400, "there is no ink to save")
            label = request.query_params.get("label", "")
            return JSONResponse(await self._saves.do_for(request, self._save, ink, label))

    async def peek(self, request: Request) -> Response:
        """Ink -> what each convolution finds in it."""
        with self._looks.place():
            layers = await self._looks.do_for(request, self._recognizer.feature_maps, await _ink(request))
            return JSONResponse({"layers": [_plain_layer(layer) for layer in layers]})

    def _save(self, ink: Ink, label: str) -> dict[str, Any]:
        file = self._samples.save(ink, label)
        return {"file": str(shown(file.absolute())), "counts": self._samples.counts()}

    def _read_picture(self, content: bytes) -> dict[str, Any]:
        (page,) = self._pages.read_pages([content])
        if not page.width:
            raise DataError(page.problem)
        found = [digit for line in page.lines for digit in sorted((*line.digits, *line.others), key=_left)]
        return {
            "width": page.width,
            "height": page.height,
            "text": page.text,
            "problem": page.problem,
            "note": page.note,
            "digits": [{**self._plain(digit.reading), "box": _corner_and_size(digit)} for digit in found],
        }

    def _plain(self, reading: Reading) -> dict[str, Any]:
        assert reading.image is not None, "only a picture that can't be read has none"
        return {
            "label": reading.label,
            "problem": reading.problem,
            "probabilities": [round(reading.probabilities.get(name, 0.0), 6) for name in self._recognizer.class_names],
            "image": _text(reading.image),
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


def _plain_layer(layer: FeatureMaps) -> dict[str, Any]:
    _, height, width = layer.maps.shape
    return {"name": layer.name, "height": height, "width": width, "maps": [_text(found) for found in layer.maps]}


def _left(digit: Digit) -> float:
    return digit.box.x


def _corner_and_size(digit: Digit) -> list[int]:
    return [round(pixels) for pixels in digit.box]


def _text(image: NDArray[np.uint8]) -> str:
    return base64.b64encode(image.tobytes()).decode()


def _files() -> list[Route]:
    """A route for each file of the page, read once; there is no other way to a file."""
    routes = []
    for file in sorted(file for file in PAGE.iterdir() if file.suffix in TYPES):
        answer = _file(file.read_bytes(), TYPES[file.suffix])
        routes += [Route(f"/{path}", answer) for path in ({file.name, ""} if file.name == INDEX else {file.name})]
    return routes


def _file(content: bytes, kind: str) -> Any:
    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return answer


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error)


async def _explain(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": first_line(error).rstrip(".")}, 422 if isinstance(error, DataError) else 400)


async def _leave(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)  # nobody is there to read it


async def _fail(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "digitrec failed; its terminal says why"}, 500)
