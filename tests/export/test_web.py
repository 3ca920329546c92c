"""The exported page in a real browser, held against Python."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pytest.importorskip("playwright", reason="needs playwright: scripts/setup installs it")
from playwright.sync_api import Browser, Page, expect

from digitrec.export import check, web_network, web_page
from digitrec.export.trained import open_trained
from digitrec.preprocessing.digit import as_mnist
from digitrec.recognition.recognizer import Recognizer
from digitrec.recognition.rejection import rejection_reason
from digitrec.weights import HANDWRITING
from tests.app.drawn import strokes_of
from tests.app.visitor import WITHHELD, visit
from tests.export.hosting import hosted
from tests.export.networks import NETWORKS, made
from tests.handwriting.digits import Digit
from tests.networks import saved

Ink = NDArray[np.uint8]
IMPORTED, IN_ONE = 'await import("./reader.js")', 'modules["reader.js"]'
READ = """async (inks) => {
  const { open, read } = READER;
  const about = await open();
  const readings = [];
  for (const { width, height, data } of inks) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const reading = await read({ width, height, data: bytes });
    readings.push({ ...reading, image: Array.from(reading.image) });
  }
  return { about, readings };
}"""
REPLACED = """async (old) => {
  for (let kept = [old]; kept.length !== 1 || kept[0] === old; kept = await caches.keys()) {
    await new Promise((done) => setTimeout(done, 50));
  }
}"""
COMPUTE = """async ([content, images]) => {
  const { Network } = await import("./network.js");
  const network = new Network(Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)).buffer);
  return { classes: network.classes, probabilities: images.map((image) => network.probabilities(image)) };
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


def read(page: Page, inks: list[Ink], reader: str = IMPORTED) -> Read:
    """Have a page's reader read ink."""
    sent = [
        {"width": ink.shape[1], "height": ink.shape[0], "data": base64.b64encode(ink.tobytes()).decode()}
        for ink in inks
    ]
    return Read(**page.evaluate(READ.replace("READER", reader), sent))


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
    "stripes": np.repeat(np.arange(100) // 10 % 2 == 0, 100).reshape(100, 100).astype(np.uint8) * 255,
}


def likelihoods(images: Ink) -> NDArray[np.float32]:
    """Probabilities (N, C) of images (N, 28, 28), none for those without ink."""
    found = Recognizer().probabilities(images)
    found[images.sum(axis=(1, 2)) == 0] = 0
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights as a page."""
    folder = tmp_path_factory.mktemp("page") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "MADE", 300)
        patch.setenv("DIGITREC_DATA_DIR", str(folder / "no_data"))
        agreed = web_page.write(open_trained(HANDWRITING), folder)
    assert agreed.changed == 0
    return folder


@pytest.fixture(scope="module")
def page(folder: Path, browser: Browser) -> Iterator[Page]:
    with hosted(folder.parent) as address:
        page = browser.new_page()
        page.goto(f"{address}digits/")
        yield page
        page.close()


def test_the_same_ink_gives_the_same_image_and_probabilities(page: Page) -> None:
    inks = drawn(300)
    found = read(page, inks)
    images = np.stack([as_mnist(shares(ink)) for ink in inks])
    assert np.abs(found.images - images).max() <= 1
    assert (found.images == images).all(axis=(1, 2)).mean() > 0.97, "all of them, but a sum may be rounded otherwise"
    expected = Recognizer().probabilities(images)
    assert np.abs(found.probabilities - expected).max() < 1e-4
    assert (found.probabilities.argmax(1) == expected.argmax(1)).all()
    assert (expected.argmax(1) == np.arange(300) % 10).mean() > 0.9, "so are these digits"
    assert found.about["classes"] == list("0123456789")
    assert found.about["can"] == {"pictures": False, "correct": False, "peek": False}


@pytest.mark.parametrize("what", ODD)
def test_odd_ink_is_read_alike_too(what: str, page: Page) -> None:
    found = read(page, [ODD[what]])
    image = as_mnist(shares(ODD[what]))
    assert np.abs(found.images - image).max() <= 1
    assert found.probabilities == pytest.approx(likelihoods(image[None]), abs=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in NETWORKS if kind != "resnet18"])
def test_networks_of_all_our_kinds_compute_alike(kind: str, page: Page, tmp_path: Path) -> None:
    trained = open_trained(saved(made(kind, ("zero", "one", "<b>two</b>")), tmp_path / "network.ckpt"))
    web_network.write(trained, tmp_path / "network.bin")
    images = torch.randint(256, (20, 1, 28, 28), generator=torch.Generator().manual_seed(4)).byte()
    content = base64.b64encode((tmp_path / "network.bin").read_bytes()).decode()
    found = page.evaluate(COMPUTE, [content, images.flatten(1).tolist()])
    with torch.inference_mode():
        expected = trained.classifier(images).softmax(1)
    assert np.array(found["probabilities"]) == pytest.approx(expected.numpy(), abs=1e-4)
    assert found["classes"] == ["zero", "one", "<b>two</b>"]


@pytest.mark.slow
def test_what_is_no_digit_is_told_alike(browser: Browser, folder: Path, tmp_path: Path) -> None:
    trained = open_trained(HANDWRITING)
    trained.classifier.threshold = 0.96
    shutil.copytree(folder, tmp_path / "page")
    web_network.write(trained, tmp_path / "page" / "network.bin")
    inks = [*ODD.values(), *drawn(60)]
    with hosted(tmp_path / "page") as address, visit(browser, address) as visitor:
        found = read(visitor.page, inks)
    reasons = [
        rejection_reason(image.astype(np.uint8), probabilities.astype(np.float32), list("0123456789"), 0.96)
        for image, probabilities in zip(found.images, found.probabilities, strict=True)
    ]
    for reading, reason in zip(found.readings, reasons, strict=True):
        assert bare(reading["problem"]) == bare(reason and f"not a digit: {reason}")
        assert (reading["label"] is None) == (reason is not None)
    kinds = {bare(reason) for reason in reasons}
    assert len(kinds) == 6, "all five reasons, and none"


def bare(reason: str | None) -> str | None:
    """A reason without its figures."""
    return reason and re.sub(r"[\d.]+", "#", reason)


@pytest.mark.slow
def test_digits_drawn_on_the_page_are_read(browser: Browser, folder: Path) -> None:
    with hosted(folder.parent) as address, visit(browser, f"{address}digits/") as visitor:
        for label in range(10):
            visitor.draw(strokes_of(label, 1))
            expect(visitor.page.locator("#digit")).to_have_text(str(label))
            visitor.clear()
        for name in ("#choose", "#correct", "#inside"):
            expect(visitor.page.locator(name)).to_be_hidden()
        assert visitor.complaints == []
        assert {asked.rpartition("/")[0] for asked in visitor.asked} == {f"{address}digits"}, "nothing from elsewhere"


@pytest.mark.slow
def test_it_works_without_a_connection_once_it_was_open(browser: Browser, folder: Path) -> None:
    with ExitStack() as hosting:
        address = hosting.enter_context(hosted(folder.parent))
        with visit(browser, f"{address}digits/") as visitor:
            visitor.page.evaluate("navigator.serviceWorker.ready.then(({ active }) => active.state)")
            hosting.close()
            visitor.page.reload()
            expect(visitor.page.locator("#bars li")).to_have_count(10)
            visitor.draw(strokes_of(6, 1))
            visitor.hears("6, ")


@pytest.mark.slow
def test_a_new_export_replaces_the_one_that_was_kept(browser: Browser, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "page")
    with hosted(tmp_path / "page") as address, visit(browser, address) as visitor:
        visitor.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        (old,) = visitor.page.evaluate("caches.keys()")
        trained = open_trained(saved(made("mlp", tuple("abcdefghij")), tmp_path / "network.ckpt"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(check, "_images", lambda data: (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), "made"))
            web_page.write(trained, tmp_path / "page")
        visitor.page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found.update())")
        visitor.page.evaluate(REPLACED, old)
        visitor.page.reload()
        expect(visitor.page.locator("#bars li span").first).to_have_text("a")


@pytest.mark.slow
def test_a_network_that_is_none_is_named(browser: Browser, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "page")
    (tmp_path / "page" / "network.bin").write_text("<html>not here</html>", encoding="utf-8")
    with hosted(tmp_path / "page") as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#trouble")).to_contain_text("was not written by digitrec.export")
        page.close()


def test_a_page_opened_straight_from_its_folder_reads_too(browser: Browser, folder: Path) -> None:
    """In a browser that withholds the pixels of canvases, too."""
    inks = [*ODD.values(), *drawn(20)]
    with visit(browser, f"{folder.as_uri()}/", "index.html", WITHHELD) as visitor:
        for label in range(10):
            visitor.draw(strokes_of(label, 1))
            expect(visitor.page.locator("#digit")).to_have_text(str(label))
            visitor.clear()
        found = read(visitor.page, inks, IN_ONE)
    images = np.stack([as_mnist(shares(ink)) for ink in inks])
    assert found.probabilities == pytest.approx(likelihoods(images), abs=1e-4)


@pytest.mark.slow
def test_a_page_whose_files_were_left_behind_says_so(browser: Browser, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "page", ignore=shutil.ignore_patterns("all-in-one.js"))
    page = browser.new_page()
    page.goto((tmp_path / "page" / "index.html").as_uri())
    expect(page.get_by_role("alert")).to_contain_text("copy the whole folder")
    page.close()


def test_a_phone_can_keep_it_among_its_programs(page: Page) -> None:
    manifest = page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((found) => found.json())")
    for name in (manifest["start_url"], manifest["icons"][0]["src"]):
        assert page.evaluate("(name) => fetch(name).then(({ status }) => status)", name) == 200


def test_other_files_in_the_folder_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_images", lambda data: (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), "made"))
    trained = open_trained(saved(made("mlp"), tmp_path / "network.ckpt"))
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "CNAME").write_text("digits.example", encoding="utf-8")
    for _ in range(2):
        web_page.write(trained, tmp_path / "page")
        assert (tmp_path / "page" / "CNAME").read_text(encoding="utf-8") == "digits.example"
    kept = json.loads((tmp_path / "page" / "kept.js").read_text("utf-8").removeprefix("self.KEPT = ").rstrip(";\n"))
    present = {path.name for path in (tmp_path / "page").iterdir()}
    assert set(kept["files"]) == (present - {"CNAME", "all-in-one.js", "kept.js", "service-worker.js"}) | {"./"}
