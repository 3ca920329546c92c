"""The page in a real browser: what is drawn, touched, pasted and typed is read, and nothing leaves the machine."""

import io
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("playwright", reason="needs playwright: scripts/setup installs it")
from playwright.sync_api import expect

from digitrec.recognition.recognizer import Recognizer
from tests.app.drawn import strokes_of
from tests.app.serving import Served, serve
from tests.app.visitor import WITHHELD, Visitor, visit
from tests.handwriting.pages import Source, page
from tests.handwriting.situations import file

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Request

POSTCODE = page("clean", 1, Source("digits"))
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def visitor(browser: "Browser", served: Served) -> Iterator[Visitor]:
    with visit(browser, served.url) as visitor:
        yield visitor
        assert visitor.complaints == []


def garbage(size: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(size)


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def letters(text: str) -> bytes:
    sheet = Image.new("L", (400, 240), 255)
    for place, letter in enumerate(text):
        ImageDraw.Draw(sheet).text((60 + 180 * place, 40), letter, 0, ImageFont.load_default(140))
    return png(sheet)


def samples_of(served: Served) -> set[str]:
    return {str(path.relative_to(served.samples)) for path in served.samples.rglob("*.png")}


# Drawing


ALL = [pytest.param(seed, range(10), marks=pytest.mark.slow, id=f"all, seed {seed}") for seed in range(1, 6)]


@pytest.mark.parametrize(("seed", "labels"), [pytest.param(1, (0, 4, 7), id="three"), *ALL])
def test_digits_drawn_stroke_by_stroke_are_read(visitor: Visitor, seed: int, labels: Sequence[int]) -> None:
    for label in labels:
        visitor.draw(strokes_of(label, seed))
        visitor.hears(f"{label}, ")
        expect(visitor.page.locator("#digit")).to_have_text(str(label))
        visitor.clear()


def test_a_browser_that_withholds_the_pixels_of_canvases_reads_alike(browser: "Browser", served: Served) -> None:
    with visit(browser, served.url, script=WITHHELD) as visitor:
        visitor.draw(strokes_of(3, 1))
        visitor.hears("3, ")
        visitor.clear()
        visitor.draw([[(0.5, 0.5)]])
        visitor.hears("not a digit: ")
        visitor.clear()


def test_probabilities_move_while_the_pen_is_down(visitor: Visitor) -> None:
    (stroke,) = visitor.places([[(0.3, 0.2), (0.7, 0.2), (0.62, 0.35), (0.55, 0.5), (0.48, 0.65), (0.4, 0.85)]])
    visitor.page.mouse.move(*stroke[0])
    visitor.page.mouse.down()
    seen = []
    for place in stroke[1:]:
        with visitor.page.expect_response("**/api/read*", timeout=60_000):
            visitor.page.mouse.move(*place, steps=4)
        visitor.page.wait_for_timeout(50)
        seen.append(tuple(visitor.page.locator("#bars b").all_inner_texts()))
    visitor.page.mouse.up()
    visitor.hears("7, ")
    assert len(set(seen)) >= 2


@pytest.mark.slow
def test_what_the_network_sees_is_shown(visitor: Visitor) -> None:
    seen = (
        "document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 == 0)"
    )
    assert visitor.page.evaluate(f"Math.max(...{seen})") == 0
    visitor.draw(strokes_of(0, 1))
    visitor.hears("0, ")
    image = list(visitor.page.evaluate(f"Array.from({seen})"))
    assert max(image) > 200
    rows = [sum(image[28 * y : 28 * y + 28]) for y in range(28)]
    assert sum(y * row for y, row in enumerate(rows)) / sum(rows) == pytest.approx(14, abs=0.6), "framed like MNIST's"


@pytest.mark.slow
def test_a_finger_draws_and_the_page_stays(browser: "Browser", served: Served) -> None:
    with visit(browser, served.url, **PHONE) as visitor:
        visitor.touch(strokes_of(3, 1))
        visitor.hears("3, ")
        assert visitor.page.evaluate("scrollY") == 0


@pytest.mark.slow
def test_a_pen_draws_wider_where_it_is_pressed(visitor: Visitor) -> None:
    amounts = []
    for force in (0.1, 0.9):
        visitor.pen(strokes_of(1, 1), force)
        visitor.hears("1, ")
        amounts.append(visitor.page.evaluate(INKED))
        visitor.page.keyboard.press("Delete")
    assert amounts[1] > 1.5 * amounts[0]


@pytest.mark.slow
def test_thin_and_thick_pens(visitor: Visitor) -> None:
    for name in ("Thin", "Thick"):
        visitor.page.get_by_title(f"{name} pen").click()
        visitor.draw(strokes_of(4, 1))
        visitor.hears("4, ")
        visitor.clear()


def test_undo_takes_back_a_stroke_and_clear_all_and_undo_that(visitor: Visitor) -> None:
    upright, bar = [(0.5, 0.15), (0.5, 0.5), (0.5, 0.85)], [(0.2, 0.5), (0.8, 0.5)]
    undo, clear = (visitor.page.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    expect(undo).to_be_disabled()
    visitor.draw([upright])
    visitor.hears("1, ")
    before = visitor.page.locator("#bars b").all_inner_texts()
    visitor.draw([bar])
    expect(visitor.page.locator("#bars")).not_to_have_text("".join(before))
    undo.click()
    visitor.hears("1, ")
    expect(visitor.page.locator("#bars b")).to_have_text(before)
    visitor.draw([bar])
    undo.click()
    clear.click()
    expect(visitor.page.locator("#sure")).to_have_text("Nothing drawn yet")
    expect(visitor.page.locator("#invitation")).to_be_visible()
    undo.click()
    expect(visitor.page.locator("#bars b")).to_have_text(before)
    undo.click()
    expect(visitor.page.locator("#sure")).to_have_text("Nothing drawn yet")
    expect(undo).to_be_disabled()


def test_only_the_newest_drawing_is_requested(visitor: Visitor) -> None:
    """However fast the pen is, requests do not pile up."""
    asked: set[Request] = set()
    most = 0

    def ask(request: "Request") -> None:
        nonlocal most
        asked.add(request)
        most = max(most, len(asked))

    visitor.page.on("request", ask)
    visitor.page.on("requestfinished", lambda request: asked.discard(request))
    points = sum(len(stroke) for label in range(4) for stroke in strokes_of(label, 1))
    before = len(visitor.asked)
    for label in range(4):
        visitor.draw(strokes_of(label, 1))
    visitor.page.wait_for_timeout(300)
    assert most == 1
    assert 4 <= len(visitor.asked) - before <= points


# Pictures


def test_a_picture_is_read_however_it_comes(visitor: Visitor) -> None:
    for give, label, situation, kind in (
        (visitor.upload, 4, "ballpoint_photo", "image/jpeg"),
        (visitor.paste, 7, "mouse", "image/png"),
        (visitor.drop, 2, "transparent", "image/png"),
    ):
        give(file(label, situation, 3), kind)
        visitor.hears(f"{label}, ")
        expect(visitor.page.locator("#boxes button")).to_have_count(1)
    visitor.page.get_by_role("button", name="Clear").click()
    expect(visitor.page.locator("#picture")).to_be_hidden()
    visitor.draw(strokes_of(6, 1))
    visitor.hears("6, ")


def test_several_digits_are_read_and_each_is_in_its_box(visitor: Visitor) -> None:
    visitor.drop(png(POSTCODE.picture), "image/png")
    visitor.hears(f"Read: {POSTCODE.text}")
    expect(visitor.page.locator("#text")).to_have_text(POSTCODE.text)
    left, _, width, _ = rectangle(visitor, "#stage")
    scale = width / POSTCODE.picture.width
    for number, (digit, box) in enumerate(zip(POSTCODE.text, POSTCODE.boxes, strict=True)):
        button = visitor.page.locator("#boxes button").nth(number)
        shown = rectangle(visitor, f"#boxes button:nth-child({number + 1})")
        assert [shown[0], shown[2]] == pytest.approx([left + scale * box.x, scale * box.width], abs=12)
        button.click()
        expect(visitor.page.locator("#digit")).to_have_text(digit)
        expect(button).to_have_attribute("aria-pressed", "true")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(300, 1000), (400, 520), (1000, 300)])
def test_a_picture_of_any_shape_is_shown_whole_and_boxed_where_its_digit_is(
    size: tuple[int, int], visitor: Visitor
) -> None:
    sheet, digit = Image.new("L", size, 255), Image.open(io.BytesIO(file(3, "mouse", 7))).convert("L")
    left, top = size[0] // 2, size[1] * 2 // 3
    sheet.paste(digit.resize((90, 90)), (left, top))
    visitor.drop(png(sheet), "image/png")
    visitor.hears("3, ")
    stage, shown, box = (rectangle(visitor, name) for name in ("#stage", "#shown", "#boxes button"))
    assert shown[3] <= stage[3] + 1
    scale = min(shown[2] / size[0], shown[3] / size[1])
    for axis, corner in enumerate((left, top)):
        middle = shown[axis] + (shown[2 + axis] - scale * size[axis]) / 2 + scale * (corner + 45)
        assert box[axis] + box[2 + axis] / 2 == pytest.approx(middle, abs=20 * scale + 4)


def rectangle(visitor: Visitor, name: str) -> list[float]:
    """Left, top, width and height of an element."""
    box = visitor.page.locator(name).bounding_box()
    assert box is not None
    return [box["x"], box["y"], box["width"], box["height"]]


def test_letters_are_reported_as_no_digits(visitor: Visitor) -> None:
    visitor.drop(letters("EE"), "image/png")
    visitor.hears("no digit found")
    expect(visitor.page.locator("#boxes button.unknown")).to_have_count(2)
    expect(visitor.page.locator("#text")).to_be_hidden()
    expect(visitor.page.locator("#note")).to_have_text("No digit found")
    expect(visitor.page.locator("#sure")).to_contain_text("Not a digit: ")


@pytest.mark.slow
def test_an_empty_sheet_is_reported_as_empty(visitor: Visitor) -> None:
    visitor.drop(letters(" "), "image/png")
    visitor.hears("no digit: no ink found")
    expect(visitor.page.locator("#sure")).to_have_text("No digit: no ink found")


@pytest.mark.slow
def test_a_note_names_what_else_the_file_holds(visitor: Visitor) -> None:
    first, second = (Image.open(io.BytesIO(file(label, "grey_scan", 3))) for label in (4, 9))
    stream = io.BytesIO()
    first.save(stream, "TIFF", save_all=True, append_images=[second])
    visitor.upload(stream.getvalue(), "image/tiff")
    note = "nly the first of the images in its file was read"
    visitor.hears(f"Read: 4. o{note}")
    expect(visitor.page.locator("#note")).to_have_text(f"O{note}. This browser cannot show pictures of this kind")
    visitor.page.get_by_role("button", name="Clear").click()
    expect(visitor.page.locator("#note")).to_be_hidden()


@pytest.mark.slow
def test_a_digit_of_a_picture_is_corrected_like_a_drawn_one(visitor: Visitor, served: Served) -> None:
    visitor.drop(png(POSTCODE.picture), "image/png")
    visitor.hears("Read: ")
    visitor.page.locator("#boxes button").first.click()
    before = samples_of(served)
    visitor.page.get_by_role("radio", name="4").check(force=True)
    visitor.page.get_by_role("button", name="Save as 4").click()
    expect(visitor.page.locator("#kept")).to_contain_text("Saved as samples/4/")
    (sample,) = samples_of(served) - before
    assert Recognizer().read(served.samples / sample).label == POSTCODE.text[0]


@pytest.mark.parametrize(
    "content",
    [garbage(500), *(pytest.param(bad, marks=pytest.mark.slow) for bad in (b"", b"a text", file(3, "mouse", 1)[:300]))],
)
def test_a_file_that_is_no_picture_is_reported(browser: "Browser", served: Served, content: bytes) -> None:
    with visit(browser, served.url) as visitor:
        visitor.upload(content, "image/png")
        expect(visitor.page.get_by_role("alert")).to_contain_text("Cannot be read as a picture: ")
        visitor.draw(strokes_of(3, 1))
        visitor.hears("3, ")
        expect(visitor.page.get_by_role("alert")).to_be_hidden()


@pytest.mark.slow
def test_a_file_that_is_too_large_is_not_even_sent(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(garbage(21 * 2**20))
    before = len(visitor.asked)
    visitor.page.set_input_files("#file", tmp_path / "huge.png")
    expect(visitor.page.get_by_role("alert")).to_contain_text("takes pictures of up to 20 MB")
    assert len(visitor.asked) == before


# Corrections


def test_a_correction_is_kept_when_saved_and_not_before(visitor: Visitor, served: Served) -> None:
    expect(visitor.page.locator("#kept")).to_contain_text("the folder samples")
    visitor.draw(strokes_of(7, 1))
    visitor.hears("7, ")
    before = samples_of(served)
    visitor.page.get_by_text("1", exact=True).last.click()
    assert samples_of(served) == before
    visitor.page.get_by_role("button", name="Save as 1").click()
    expect(visitor.page.locator("#kept")).to_contain_text("Saved as samples/1/")
    (sample,) = samples_of(served) - before
    assert sample.startswith("1/")


def test_the_keyboard_is_enough(visitor: Visitor, served: Served) -> None:
    """Draws, undoes, corrects, saves and clears without a pointer, the focus always visible."""
    keys = visitor.page.keyboard
    keys.press("Tab")
    expect(visitor.page.locator("#sheet")).to_be_focused()
    expect(visitor.page.locator("#cursor")).to_be_visible()
    keys.press("Space")
    for _ in range(20):
        keys.press("ArrowDown")
    keys.press("Space")
    visitor.hears("1, ")
    keys.press("ArrowRight")
    keys.press("Space")
    keys.press("Control+z")
    visitor.hears("1, ")
    keys.press("7")
    keys.press("ArrowRight")
    expect(visitor.page.get_by_role("radio", name="8")).to_be_focused()
    keys.press("ArrowLeft")
    keys.press("ArrowLeft")
    before = samples_of(served)
    keys.press("Enter")
    expect(visitor.page.locator("#kept")).to_contain_text("Saved as samples/6/")
    assert [sample[0] for sample in samples_of(served) - before] == ["6"]
    for name in ("Undo", "Clear"):
        visitor.page.get_by_role("button", name=name).focus()
        keys.press("Enter")
        expect(visitor.page.locator("#sure")).to_have_text("Nothing drawn yet")
        expect(visitor.page.locator("#sheet")).to_be_focused()
        keys.press("Space")
        expect(visitor.page.locator("#undo")).to_be_enabled()
    keys.press("Delete")
    expect(visitor.page.locator("#sure")).to_have_text("Nothing drawn yet")
    for _ in range(20):
        keys.press("Tab")
        assert visitor.page.evaluate(FOCUS_IS_SEEN)


@pytest.mark.slow
def test_a_space_bar_that_is_held_puts_the_pen_down_once(visitor: Visitor) -> None:
    keys = visitor.page.keyboard
    visitor.page.locator("#sheet").focus()
    for _ in range(2):
        keys.down("Space")  # the second time as a repetition
    for _ in range(20):
        keys.press("ArrowDown")
    visitor.hears("1, ")
    assert visitor.page.evaluate("scrollY") == 0


# A look inside


@pytest.mark.slow
def test_the_inside_is_shown_when_opened_and_follows_the_drawing(visitor: Visitor) -> None:
    visitor.draw(strokes_of(5, 1))
    visitor.hears("5, ")
    assert not [asked for asked in visitor.asked if "peek" in asked]
    visitor.page.get_by_text("A look inside").click()
    layers = visitor.page.locator("#layers canvas")
    expect(layers).to_have_count(2)
    before = layers.first.evaluate("canvas => canvas.toDataURL()")
    visitor.draw([[(0.1, 0.1), (0.9, 0.1)]])
    expect(layers.first).to_have_attribute("aria-label", "Layer 1: 32 maps of 26 × 26")  # noqa: RUF001 - as it is shown
    while layers.first.evaluate("canvas => canvas.toDataURL()") == before:  # as long as the test may last
        visitor.page.wait_for_timeout(50)


# When the server is away


@pytest.mark.slow
def test_the_page_says_that_nothing_answers_and_goes_on_later(browser: "Browser", served: Served) -> None:
    with visit(browser, served.url) as visitor:
        visitor.page.context.set_offline(True)
        visitor.draw(strokes_of(9, 1))
        expect(visitor.page.get_by_role("alert")).to_have_text("The server does not answer. Trying again …")
        expect(visitor.page.locator("#sure")).to_have_text("Not read yet")
        visitor.upload(file(2, "mouse", 1), "image/png")
        expect(visitor.page.get_by_role("alert")).to_contain_text("does not answer")
        visitor.draw(strokes_of(8, 1))
        visitor.page.context.set_offline(False)
        visitor.hears("8, ")
        expect(visitor.page.get_by_role("alert")).to_be_hidden()


@pytest.mark.slow
def test_the_page_waits_for_an_answer_from_its_start(browser: "Browser", served: Served) -> None:
    context = browser.new_context()
    context.route("**/api/*", lambda route: route.abort())
    page = context.new_page()
    page.goto(served.url)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    context.unroute("**/api/*")
    expect(page.locator("#bars li")).to_have_count(10)
    expect(page.get_by_role("alert")).to_be_hidden()
    context.close()


@pytest.mark.slow
def test_a_server_that_is_started_again_is_found(browser: "Browser", tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    context = browser.new_context()
    with serve(tmp_path, "--port", port) as server:
        visitor = Visitor(context, server.url)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(60)
    visitor.draw(strokes_of(9, 1))
    expect(visitor.page.get_by_role("alert")).to_have_text("The server does not answer. Trying again …")
    with serve(tmp_path, "--port", port):
        visitor.hears("9, ")
        expect(visitor.page.get_by_role("alert")).to_be_hidden()
    context.close()


# Nothing from elsewhere


def test_the_policy_is_in_force(browser: "Browser", served: Served) -> None:
    """The control: a script and a picture from elsewhere, put into the page, are refused and noticed."""
    context = browser.new_context()
    visitor = Visitor(context, served.url)
    visitor.page.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            const image = document.createElement("img");
            image.src = "http://127.0.0.1:9/x.png";
            document.body.append(script, image);
            await fetch("http://127.0.0.1:9/").catch(() => {});
        }"""
    )
    broken = {violation.split()[0] for violation in visitor.page.evaluate("violations")}
    assert broken == {"script-src-elem", "img-src", "connect-src"}
    assert visitor.page.evaluate("window.ran === undefined")
    context.close()


# For everyone


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "options", [pytest.param({}, id="desk"), pytest.param(PHONE, id="phone", marks=pytest.mark.slow)]
)
def test_everyone_can_read_and_use_it(browser: "Browser", served: Served, scheme: str, options: dict[str, Any]) -> None:
    with visit(browser, served.url, color_scheme=scheme, **options) as visitor:
        page = visitor.page
        visitor.draw(strokes_of(2, 1))
        visitor.hears("2, ")
        page.get_by_text("A look inside").click()
        expect(page.locator("#layers canvas")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
        assert page.evaluate(FAINT) == []
        assert page.evaluate(SMALL) == []
        assert nameless(visitor) == []
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("h1").count() == 1


@pytest.mark.slow
def test_movement_can_be_switched_off(browser: "Browser", served: Served) -> None:
    how = "getComputedStyle(document.querySelector('#bars i'), '::before').transitionDuration"
    with visit(browser, served.url) as visitor:
        assert visitor.page.evaluate(how) == "0.09s"
    with visit(browser, served.url, reduced_motion="reduce") as visitor:
        assert visitor.page.evaluate(how) == "0s"


INKED = """
(() => {
  const canvas = document.getElementById("sheet");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, index) => index % 4 == 3 && value > 0).length;
})()
"""

FOCUS_IS_SEEN = """
(() => {
  const now = document.activeElement;
  const shown = [now, now.nextElementSibling, document.getElementById("stage")];
  return now === document.body || shown.some((element) => element && getComputedStyle(element).outlineWidth === "3px");
})()
"""

FAINT = """
[...document.querySelectorAll("body *")].flatMap((element) => {
  const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const box = element.getBoundingClientRect();
  if (!said || !element.checkVisibility() || box.width < 2) return [];
  if (element.closest(":disabled, .unseen, noscript")) return [];
  if (element.closest("label")?.control?.disabled) return [];
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  let behind = element, ground = [0, 0, 0, 0];
  for (; behind && (ground[3] ?? 1) === 0; behind = behind.parentElement) {
    ground = numbers(getComputedStyle(behind).backgroundColor);
  }
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const style = getComputedStyle(element);
  const [a, b] = [light(numbers(style.color)), light(ground)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const large = parseFloat(style.fontSize) >= 24;
  const words = element.textContent.trim().slice(0, 30);
  return ratio < (large ? 3 : 4.5) ? [`${element.tagName} ${words}: ${ratio.toFixed(2)}`] : [];
})
"""  # WCAG 2.2, 1.4.3

SMALL = """
[...document.querySelectorAll("button, input:not([type=radio]), label, summary, #sheet")].flatMap((element) => {
  const { width, height } = element.getBoundingClientRect();
  if (!element.checkVisibility() || !width) return [];
  return Math.min(width, height) < 24 ? [`${element.outerHTML.slice(0, 60)}: ${width} x ${height}`] : [];
})
"""  # WCAG 2.2, 2.5.8


def nameless(visitor: Visitor) -> list[str]:
    """What a screen reader would come to and could not name."""
    session = visitor.page.context.new_cdp_session(visitor.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "radio", "image", "img", "application", "textbox", "group", "form", "DisclosureTriangle"}
    seen = [node for node in nodes if not node["ignored"] and node["role"]["value"] in roles]
    assert len([node for node in seen if node["role"]["value"] == "radio"]) == 13, "three pens and ten labels"
    return [str(node["role"]) for node in seen if not node.get("name", {}).get("value")]
