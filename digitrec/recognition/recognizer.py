"""Reads digits on people's pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitrec.data.labels import are_digits
from digitrec.errors import DataError
from digitrec.preprocessing.digit import Found, as_mnist, find_digit
from digitrec.preprocessing.page_ink import find_writing
from digitrec.preprocessing.picture import Picture
from digitrec.recognition.features import FeatureMaps
from digitrec.recognition.networks.opening import Images, Network, OpenNetwork, open_network
from digitrec.recognition.occlusion import evidence
from digitrec.recognition.page import Page, page_of
from digitrec.recognition.rejection import objection
from digitrec.weights import HANDWRITING

Ink = NDArray[np.float32]
CHUNK = 8  # pictures that are read together: more save nothing, and the first would wait for them


@dataclass(frozen=True)
class Reading:
    """What a picture was read as.

    Attributes:
        label: name of the most probable class; None where no digit was found.
        probabilities: of each class, by its name, the most probable first; empty where nothing could be read at all.
        image: uint8 (28, 28), what the network saw, white ink on black.
        problem: why there is no label; None if there is one.
        note: what else its file or the picture holds that was not read; None if nothing.
    """

    label: str | None
    probabilities: dict[str, float]
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    problem: str | None = None
    note: str | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label, 0 without one."""
        return 0.0 if self.label is None else self.probabilities[self.label]


class Recognizer:
    """A trained network with the preprocessing that people's pictures need.

    Args:
        checkpoint: run folder, .ckpt, .safetensors or .onnx file; None is the network that comes with digitrec.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels, or needs the extra onnx.
    """

    def __init__(self, checkpoint: str | Path | None = None) -> None:
        self._network = open_network(HANDWRITING if checkpoint is None else checkpoint)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What a label can be."""
        return self._network.class_names

    def read(self, picture: Picture) -> Reading:
        """Read one picture of one digit: a path, a file's content, a Pillow image or an array.

        Raises:
            DataError: the picture can't be read.
        """
        return self._read_found([self._find(picture)])[0]

    def read_all(self, pictures: Iterable[Picture]) -> Iterator[Reading]:
        """Read any number of pictures, one `Reading` for each, in their order; a `problem` where one can't be read."""
        waiting = iter(pictures)
        while chunk := list(islice(waiting, CHUNK)):
            found = [self._found_or_problem(picture) for picture in chunk]
            readings = iter(self._read_found([one for one in found if not isinstance(one, str)]))
            yield from (Reading(None, {}, problem=one) if isinstance(one, str) else next(readings) for one in found)

    def read_ink(self, inks: Sequence[Ink]) -> list[Reading]:
        """Read drawings of one digit each, where the ink is known: (H, W) in [0, 1], 0 for paper and 1 for full ink."""
        return self._read([as_mnist(ink) for ink in inks])

    def feature_maps(self, ink: Ink) -> list[FeatureMaps]:
        """What each convolution finds in a drawing, (H, W) in [0, 1]; empty if the network doesn't show it."""
        network = self._network
        return network.feature_maps(as_mnist(ink)) if isinstance(network, OpenNetwork) else []

    def evidence(self, reading: Reading) -> NDArray[np.float32]:
        """Which of the ink that was seen speaks for the most probable class, above 0, or the second: (28, 28)."""
        assert reading.image is not None, "only a picture that can't be read has none"
        best, second = (self.class_names.index(label) for label in list(reading.probabilities)[:2])
        return evidence(self._network, reading.image, best, second)

    def read_page(self, picture: Picture) -> Page:
        """Read a picture of any number of digits: a postcode, a column of numbers, a form.

        Raises:
            DataError: the picture can't be read.
        """
        return page_of(find_writing(picture), self._read)

    def read_pages(self, pictures: Iterable[Picture]) -> Iterator[Page]:
        """Read any number of such pictures, a `Page` for each, in their order; a `problem` where one can't be read."""
        for picture in pictures:
            try:
                yield self.read_page(picture)
            except DataError as error:
                yield Page((), problem=_short(error, picture))

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Probabilities (N, C) of images uint8 (N, 28, 28) that are framed like MNIST's already."""
        return self._network(images)

    def _find(self, picture: Picture) -> Found:
        """As `digitrec.data.folder` prepares pictures to train on."""
        return find_digit(picture, whole=not are_digits(self.class_names))

    def _found_or_problem(self, picture: Picture) -> Found | str:
        try:
            return self._find(picture)
        except DataError as error:
            return _short(error, picture)

    def _read_found(self, found: Sequence[Found]) -> list[Reading]:
        readings = self._read([one.image for one in found])
        return [replace(reading, note=one.note) for reading, one in zip(readings, found, strict=True)]

    def _read(self, images: list[NDArray[np.uint8]]) -> list[Reading]:
        if not images:
            return []
        seen = zip(images, self._network(np.stack(images)), strict=True)
        return [_reading(self._network, image, probabilities) for image, probabilities in seen]


def _short(error: DataError, picture: Picture) -> str:
    """What is wrong with a picture, without its name."""
    name = str(picture) if isinstance(picture, str | Path) else "picture"
    return str(error).removeprefix(f"{name} ").partition("\n")[0]


def _reading(network: Network, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> Reading:
    names = network.class_names
    order = np.argsort(-probabilities, kind="stable")
    ranked = {names[index]: float(probabilities[index]) for index in order}
    if (reason := objection(image, probabilities, names, network.threshold)) is not None:
        return Reading(None, ranked, image, f"not a digit: {reason}")
    return Reading(names[order[0]], ranked, image)
