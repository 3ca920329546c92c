"""Takes the pictures of the page to draw on that README shows, into docs/images/."""

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from scripts.measure.postcode import postcode
from tests.app.conftest import CHROMIUM
from tests.app.drawn import strokes_of
from tests.app.serving import Served, serve
from tests.app.visitor import visit

FOLDER = Path("docs/images")

DESK: dict[str, Any] = {"viewport": {"width": 1040, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}


def main() -> None:
    """Take all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        drawn(browser, server, "app_light", 3, color_scheme="light", **DESK)
        drawn(browser, server, "app_dark", 8, inside=True, color_scheme="dark", **DESK)
        drawn(browser, server, "app_phone", 5, color_scheme="light", **PHONE)
        several(browser, server, "app_picture", color_scheme="light", **DESK)


def drawn(browser: Browser, server: Served, name: str, label: int, inside: bool = False, **options: Any) -> None:
    """One digit drawn."""
    with visit(browser, server.url, **options) as visitor:
        visitor.draw(strokes_of(label, 1))
        visitor.hears(f"{label}, ")
        if inside:
            visitor.page.get_by_text("A look inside").click()
            visitor.page.locator("#layers canvas").first.wait_for()
            visitor.page.mouse.move(0, 0)
        keep(visitor.page.screenshot(full_page=inside), name)


def several(browser: Browser, server: Served, name: str, **options: Any) -> None:
    """A picture of a postcode."""
    with visit(browser, server.url, **options) as visitor:
        visitor.drop(postcode("90210").file, "image/jpeg")
        visitor.hears("Read: ")
        keep(visitor.page.screenshot(), name)


def keep(screenshot: bytes, name: str) -> None:
    """Write a small file: 128 colours are enough for a page."""
    file = FOLDER / f"{name}.png"
    Image.open(io.BytesIO(screenshot)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file, f"{file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
