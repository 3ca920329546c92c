"""The exported page in a browser, held against Python."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from tests.export.browser import chromium, needs_chromium, served

from digitrec.export import check, web_page
from digitrec.export.trained import open_trained
from digitrec.inference.recognizer import WEIGHTS, Recognizer
from digitrec.pictures.digit import as_mnist
from tests.export.networks import NETWORKS, made, saved
from tests.handwriting.digits import Digit

pytestmark = needs_chromium
Ink = NDArray[np.uint8]
READ = """async (inks) => {
  const { open, read } = await import("./reader.js");
  const about = await open();
  const readings = [];
  for (const { width, height, data } of inks) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const begun = performance.now();
    const reading = await read({ width, height, data: bytes });
    readings.push({ ...reading, image: Array.from(reading.image), milliseconds: performance.now() - begun });
  }
  return { about, readings };
}"""


@dataclass(frozen=True)
class Read:
    """What the browser read: `probabilities` (N, C), `images` (N, 28, 28), and the rest as it came."""

    about: dict[str, Any]
    readings: list[dict[str, Any]]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        return np.array([reading["probabilities"] for reading in self.readings])

    @property
    def images(self) -> NDArray[np.int64]:
        return np.array([reading["image"] for reading in self.readings]).reshape(-1, 28, 28)


def read(page: Page, inks: list[Ink]) -> Read:
    """Have a page's reader read ink."""
    sent = [
        {"width": ink.shape[1], "height": ink.shape[0], "data": base64.b64encode(ink.tobytes()).decode()}
        for ink in inks
    ]
    return Read(**page.evaluate(READ, sent))


def shares(ink: Ink) -> NDArray[np.float32]:
    """Ink as Python takes it, in [0, 1]."""
    return np.asarray(ink / np.float32(255), np.float32)


def drawn(count: int) -> list[Ink]:
    """Digits by hands that no training saw, of many sizes and with all kinds of pens, some on a larger sheet."""
    random = np.random.default_rng(5)
    inks = []
    for number in range(count):
        height = int(random.choice([9, 14, 20, 26, 40, 75, 119, 121, 160, 240]))
        pen = max(0.7, height * float(np.exp(random.uniform(np.log(0.015), np.log(0.35)))))
        ink = (Digit(number % 10, 900 + number).ink(height, pen) * 255).round().astype(np.uint8)
        inks.append(np.ascontiguousarray(np.pad(ink, int(random.integers(0, 9)))))
    return inks


ODD: dict[str, Ink] = {
    "nothing": np.zeros((30, 20), np.uint8),
    "no pixel": np.zeros((0, 0), np.uint8),
    "one pixel": np.full((1, 1), 255, np.uint8),
    "a faint one": np.full((1, 1), 3, np.uint8),
    "faint ink": np.full((40, 20), 90, np.uint8),
    "a line": np.full((1, 150), 255, np.uint8),
    "a line that stands": np.full((77, 2), 200, np.uint8),
    "a block": np.full((90, 60), 255, np.uint8),
    "noise": np.random.default_rng(1).integers(0, 256, (64, 80), np.uint8),
    "stripes": np.repeat(np.arange(100) % 4 < 2, 100).reshape(100, 100).astype(np.uint8) * 255,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights in the box as a page."""
    folder = tmp_path_factory.mktemp("page") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "MADE", 300)
        patch.setenv("DIGITREC_DATA_DIR", str(folder / "no_data"))
        agreed = web_page.write(open_trained(WEIGHTS), folder)
    assert agreed.changed == 0
    return folder


@pytest.fixture(scope="module")
def page(folder: Path, browser: Browser) -> Iterator[Page]:
    with served(folder.parent) as address:
        page = browser.new_page()
        page.goto(f"{address}digits/")
        yield page
        page.close()


def test_the_same_ink_gives_the_same_image_and_probabilities(page: Page) -> None:
    inks = drawn(400)
    found = read(page, inks)
    images = np.stack([as_mnist(shares(ink)) for ink in inks])
    assert np.abs(found.images - images).max() <= 1
    assert (found.images == images).all(axis=(1, 2)).mean() > 0.97, "99.8 % of 400"
    expected = Recognizer().probabilities(images)
    assert np.abs(found.probabilities - expected).max() < 1e-4
    assert (found.probabilities.argmax(1) == expected.argmax(1)).all()
    assert (expected.argmax(1) == np.arange(400) % 10).mean() > 0.9, "so are these digits"
    assert found.about["classes"] == list("0123456789")
    assert found.about["can"] == {"pictures": False, "correct": False, "peek": False}
    assert float(np.median([reading["milliseconds"] for reading in found.readings])) < 15


@pytest.mark.parametrize("what", ODD)
def test_odd_ink_is_read_alike_too(what: str, page: Page) -> None:
    found = read(page, [ODD[what]])
    image = as_mnist(shares(ODD[what]))
    assert np.abs(found.images - image).max() <= 1
    assert found.probabilities == pytest.approx(Recognizer().probabilities(image[None]), abs=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in NETWORKS if kind != "resnet18"])
def test_networks_of_all_our_kinds_compute_alike(
    kind: str, folder: Path, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MADE", 100)
    monkeypatch.setenv("DIGITREC_DATA_DIR", str(tmp_path))
    trained = open_trained(saved(made(kind, ("zero", "one", "<b>two</b>")), tmp_path / "network.ckpt"))
    web_page.write(trained, tmp_path / "page")
    inks = drawn(20)
    with served(tmp_path / "page") as address:
        page = browser.new_page()
        page.goto(address)
        found = read(page, inks)
        page.close()
    with torch.inference_mode():
        expected = trained.classifier(torch.from_numpy(found.images)[:, None].byte()).softmax(1)
    assert found.probabilities == pytest.approx(expected.numpy(), abs=1e-4)
    assert found.about["classes"] == ["zero", "one", "<b>two</b>"]
