"""Reads digits on people's pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitrec.data.labels import are_digits
from digitrec.errors import DataError
from digitrec.preprocessing.digit import DigitImage, as_mnist, find_digit
from digitrec.preprocessing.page_ink import find_page_ink
from digitrec.preprocessing.picture import Picture
from digitrec.recognition.networks.network import FeatureMaps, Images
from digitrec.recognition.networks.opening import open_network
from digitrec.recognition.occlusion import occlusion_map
from digitrec.recognition.page import Page, page_of
from digitrec.recognition.reading import Reading
from digitrec.recognition.rejection import rejection_reason

Ink = NDArray[np.float32]
CHUNK = 8  # pictures that are read together: more save nothing, and the first would wait for them


class Recognizer:
    """A trained network with the preprocessing that people's pictures need.

    Args:
        checkpoint: run folder, .ckpt, .safetensors or .onnx file; None is the shipped weights.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels, or needs the extra onnx.
    """

    def __init__(self, checkpoint: str | Path | None = None) -> None:
        self._network = open_network(checkpoint)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The possible labels."""
        return self._network.class_names

    @property
    def rejects(self) -> bool:
        """Was the network trained to reject what is none of its classes?"""
        return self._network.threshold is not None

    def read(self, picture: Picture) -> Reading:
        """Read one picture of one digit: a path, a file's content, a Pillow image or an array.

        Raises:
            DataError: the picture can't be read.
        """
        found = self._find(picture)
        (reading,) = self._read([found.image])
        return replace(reading, note=found.note)

    def read_all(self, pictures: Iterable[Picture]) -> Iterator[Reading]:
        """Read any number of pictures, one `Reading` for each, in their order; a `problem` where one can't be read."""
        waiting = iter(pictures)
        while chunk := list(islice(waiting, CHUNK)):
            found = [self._found_or_problem(picture) for picture in chunk]
            readings = iter(self._read([one.image for one in found if not isinstance(one, str)]))
            for one in found:
                yield Reading(None, {}, problem=one) if isinstance(one, str) else replace(next(readings), note=one.note)

    def read_ink(self, inks: Sequence[Ink]) -> list[Reading]:
        """Read drawings of one digit each, where the ink is known: (H, W) in [0, 1], 0 for paper and 1 for full ink."""
        return self._read([as_mnist(ink) for ink in inks])

    def feature_maps(self, ink: Ink) -> list[FeatureMaps]:
        """Feature maps of each convolution for a drawing, (H, W) in [0, 1]; empty if the network can't show any."""
        return self._network.feature_maps(as_mnist(ink))

    def occlusion_map(self, reading: Reading) -> NDArray[np.float32]:
        """Which ink of the network's input supports the most probable class, above 0, or the second: (28, 28)."""
        assert reading.image is not None, "only a picture that can't be read has none"
        if not reading.image.any():
            return np.zeros(reading.image.shape, np.float32)
        best, second = (self.class_names.index(label) for label in list(reading.probabilities)[:2])
        return occlusion_map(self._network, reading.image, best, second)

    def read_page(self, picture: Picture) -> Page:
        """Read a picture of any number of digits: a postcode, a column of numbers, a form.

        Raises:
            DataError: the picture can't be read.
        """
        return page_of(find_page_ink(picture), self._read)

    def read_pages(self, pictures: Iterable[Picture]) -> Iterator[Page]:
        """Read any number of such pictures, a `Page` for each, in their order; a `problem` where one can't be read."""
        for picture in pictures:
            try:
                yield self.read_page(picture)
            except DataError as error:
                yield Page((), problem=_without_name(error, picture))

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Probabilities (N, C) of images uint8 (N, 28, 28) that are framed like MNIST's already."""
        return self._network(images)

    def _find(self, picture: Picture) -> DigitImage:
        """As `digitrec.data.folder` prepares pictures to train on."""
        return find_digit(picture, whole=not are_digits(self.class_names))

    def _found_or_problem(self, picture: Picture) -> DigitImage | str:
        try:
            return self._find(picture)
        except DataError as error:
            return _without_name(error, picture)

    def _read(self, images: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        if not images:
            return []
        outputs = self._network(np.stack(images))
        return [self._reading(image, output) for image, output in zip(images, outputs, strict=True)]

    def _reading(self, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> Reading:
        names = self.class_names
        order = np.argsort(-probabilities, kind="stable") if image.any() else ()
        ranked = {names[index]: float(probabilities[index]) for index in order}
        reason = rejection_reason(image, probabilities, names, self._network.threshold)
        if reason is not None:
            return Reading(None, ranked, image, f"not a digit: {reason}")
        quantile = self._network.quantile
        labels = None if quantile is None else tuple(name for name, share in ranked.items() if 1 - share <= quantile)
        return Reading(next(iter(ranked)), ranked, image, labels=labels)


def _without_name(error: DataError, picture: Picture) -> str:
    """An error's first line, without the picture's name."""
    name = str(picture) if isinstance(picture, str | Path) else "picture"
    return str(error).removeprefix(f"{name} ").partition("\n")[0]
