"""People in front of the page: real pointer events, keys and files, and what the browser has to complain about."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app.drawn import Strokes

expect.set_options(timeout=60_000)  # a machine may have other work to do; what comes sooner is not waited for

VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""

# What browsers do that protect their users from being recognised: white for one page, noise for the next.
WITHHELD = """
CanvasRenderingContext2D.prototype.getImageData = (x, y, width, height) => {
  const range = Math.random() < 0.5 ? 0 : 256;
  const pixels = new ImageData(width, height);
  pixels.data.forEach((_, place) => pixels.data[place] = 255 - range * Math.random());
  return pixels;
};
HTMLCanvasElement.prototype.toDataURL = () => "data:,";
"""


class Visitor:
    """A page with all that it asked for and complained of.

    Attributes:
        page: in the browser.
        asked: addresses of all requests.
        complaints: errors on the console, and what a script failed with.
    """

    def __init__(self, context: BrowserContext, url: str, script: str = "") -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        context.add_init_script(VIOLATIONS + script)
        context.on("request", lambda request: self.asked.append(request.url))
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda entry: self.complaints.append(entry.text) if entry.type == "error" else None)
        self.page.goto(url)
        expect(self.page.locator("#bars li")).to_have_count(10)

    def places(self, strokes: Strokes) -> Strokes:
        """Strokes on the sheet -> pixels of the screen."""
        box = self.page.locator("#sheet").bounding_box()
        assert box is not None
        return [[(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke] for stroke in strokes]

    def draw(self, strokes: Strokes) -> None:
        """With the mouse, stroke by stroke."""
        for stroke in self.places(strokes):
            self.page.mouse.move(*stroke[0])
            self.page.mouse.down()
            for place in stroke[1:]:
                self.page.mouse.move(*place)
            self.page.mouse.up()

    def touch(self, strokes: Strokes) -> None:
        """With a finger."""
        session = self.page.context.new_cdp_session(self.page)
        for stroke in self.places(strokes):
            for number, (x, y) in enumerate(stroke):
                kind = "touchMove" if number else "touchStart"
                session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def pen(self, strokes: Strokes, force: float) -> None:
        """With a pen that is pressed, 0 to 1."""
        session = self.page.context.new_cdp_session(self.page)
        for stroke in self.places(strokes):
            for number, (x, y) in enumerate([*stroke, stroke[-1]]):
                kind = ["mousePressed", *["mouseMoved"] * (len(stroke) - 1), "mouseReleased"][number]
                event: dict[str, Any] = {"type": kind, "x": x, "y": y, "button": "left", "pointerType": "pen"}
                pressed = {"force": force, "buttons": 1} if kind != "mouseReleased" else {}
                session.send("Input.dispatchMouseEvent", event | pressed | {"clickCount": 1})

    def hears(self, words: str) -> None:
        """Wait until the text for screen readers begins with these words."""
        expect(self.page.locator("#spoken")).to_have_text(re.compile(f"^{re.escape(words)}"))

    def clear(self) -> None:
        """Press the button."""
        self.page.get_by_role("button", name="Clear").click()
        expect(self.page.locator("#spoken")).to_have_text("")

    def paste(self, content: bytes, kind: str) -> None:
        """Paste a picture from the clipboard."""
        self.page.evaluate(
            """([content, kind]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(content)], "pasted", {type: kind}));
                document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
            }""",
            [list(content), kind],
        )

    def drop(self, content: bytes, kind: str) -> None:
        """Let a picture fall on the sheet."""
        self.page.evaluate(
            """([content, kind]) => {
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([new Uint8Array(content)], "dropped", {type: kind}));
                const stage = document.getElementById("stage");
                for (const name of ["dragover", "drop"]) {
                    stage.dispatchEvent(new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true}));
                }
            }""",
            [list(content), kind],
        )

    def upload(self, content: bytes, kind: str) -> None:
        """Choose a picture's file."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Picture").click()
        chooser.value.set_files({"name": "chosen", "mimeType": kind, "buffer": content})


@contextmanager
def visit(browser: Browser, url: str, page: str = "", script: str = "", **options: Any) -> Iterator[Visitor]:
    """Open the page below an address, after a script; in the end nothing came from elsewhere and no rule was broken."""
    context = browser.new_context(**options)
    try:
        visitor = Visitor(context, url + page, script)
        yield visitor
        assert all(asked.startswith((url, "blob:")) for asked in visitor.asked), visitor.asked
        assert visitor.page.evaluate("violations") == []
    finally:
        context.close()
