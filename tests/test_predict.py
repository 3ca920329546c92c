import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digitrec import Recognizer, predict
from digitrec.models.cnn import CNN
from digitrec.preprocessing import picture as opening
from digitrec.preprocessing.finding import find_pictures
from digitrec.recognition.networks import layers
from digitrec.recognition.networks import numpy as numpy_network
from tests.command import Command, Outcome
from tests.export.networks import made
from tests.handwriting.digits import Digit
from tests.handwriting.pages import Page, Source, page
from tests.handwriting.situations import file, picture
from tests.handwriting.strange import sketch
from tests.networks import saved

DIGITS = (3, 5, 8)


@pytest.fixture
def run_predict(run_main: Callable[..., Outcome]) -> Command:
    """`python -m digitrec.predict ...`."""
    return partial(run_main, predict.main)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of three pictures, the last in a sub-folder."""
    (tmp_path / "scans" / "more").mkdir(parents=True)
    for name, digit in zip(("a.png", "b.png", "more/c.png"), DIGITS, strict=True):
        (tmp_path / "scans" / name).write_bytes(file(digit, "mouse", 7))
    return tmp_path / "scans"


def test_a_line_for_each_picture(run_predict: Command, scans: Path) -> None:
    outcome = run_predict("scans", code=0)
    assert [line.split()[:2] for line in outcome.out.splitlines()] == [
        ["3", "scans/a.png"], ["5", "scans/b.png"], ["8", "scans/more/c.png"]
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["one", "--checkpoint"])
def test_few_frames_lie_between_the_command_and_the_network(
    how: str, run_predict: Command, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the one of `python -m digitrec.predict` they are at most 8."""
    frames: list[list[str]] = []
    package = str(Path(predict.__file__).parent)

    def counted(compute: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*arguments: Any) -> Any:
            frames.append([frame.name for frame in traceback.extract_stack() if frame.filename.startswith(package)])
            return compute(*arguments)

        return forward

    monkeypatch.setattr(numpy_network, "run", counted(layers.run))
    monkeypatch.setattr(CNN, "forward", counted(CNN.forward))
    checkpoint = () if how == "one" else (f"--checkpoint={saved(made('cnn'), scans.parent / 'it.ckpt')}",)
    frames.clear()
    assert run_predict("scans", *checkpoint).code == 0
    before_reading = 1 if how == "one" else 0  # the check of the file's network
    assert max(map(len, frames[before_reading:])) <= 6, frames


def test_json_and_csv_say_the_same(run_predict: Command, scans: Path) -> None:
    rows = json.loads(run_predict("scans/*.png", "scans/more/c.png", "--format", "json").out)
    table = list(csv.DictReader(io.StringIO(run_predict("scans", "--format=csv").out)))
    assert (
        [row["label"] for row in rows]
        == [row["digit"] for row in rows]
        == [row["label"] for row in table]
        == [str(digit) for digit in DIGITS]
    )
    assert [f"{row['confidence']}" for row in rows] == [row["confidence"] for row in table]
    assert all(1 >= row["confidence"] >= max(row["others"].values()) for row in rows)


@pytest.mark.parametrize(
    ("how", "columns"),
    [
        ([], "file,digit,confidence,second,second_confidence,problem,note,label"),
        (
            ["--many"],
            "file,line,word,digit,confidence,second,second_confidence,x,y,width,height,problem,note,label",
        ),
    ],
)
def test_columns_of_csv_keep_the_places_of_earlier_versions(
    how: list[str], columns: str, run_predict: Command, scans: Path
) -> None:
    head, *rows = csv.reader(io.StringIO(run_predict("scans", "nowhere.png", "--format=csv", *how).out))
    assert head == columns.split(",")
    assert len(rows) >= 4
    for row in rows:
        assert len(row) == len(head)
        assert row[head.index("digit")] == row[head.index("label")]


def test_a_network_that_was_not_trained_to_reject_is_named_once(run_predict: Command, scans: Path) -> None:
    checkpoint = saved(made("cnn"), scans.parent / "it.ckpt")
    outcome = run_predict("scans", "scans", f"--checkpoint={checkpoint}", code=0)
    assert outcome.err.count("not trained to reject") == outcome.err.count("\n") == 1
    assert run_predict("scans", code=0).err == ""


def test_a_rejection_tells_confidence_and_threshold(run_predict: Command, tmp_path: Path) -> None:
    sketch("written_letters", 1).save(tmp_path / "letter.png")
    out = run_predict("letter.png", code=0).out
    assert re.search(r"not a digit: it looks like none \(confidence \d+%, threshold \d+%\)", out), out


def test_a_bad_file_is_reported_on_its_line_and_the_rest_goes_on(run_predict: Command, scans: Path) -> None:
    (scans / "broken.png").write_bytes(file(1, "mouse", 1)[:200])
    (scans / "empty.jpg").touch()
    (scans / "words.png").write_text("no picture")
    Image.new("1", (20_000, 20_000)).save(scans / "huge.tif", compression="group4")
    outcome = run_predict("scans", "nowhere.png", code=1)
    lines = {Path(line.split()[1]).name: line for line in outcome.out.splitlines()}
    assert [lines[name][0] for name in ("a.png", "b.png", "c.png")] == ["3", "5", "8"]
    assert "cannot be read" in lines["broken.png"]
    assert "the file is empty" in lines["empty.jpg"]
    assert "no known image format, expected AVIF, BMP, " in lines["words.png"]
    assert "more than 100,000,000 pixels" in lines["huge.tif"]
    assert lines["nowhere.png"].endswith("cannot be read as a picture: No such file or directory.")
    assert outcome.err == ""


def test_folders_and_patterns_stand_for_their_pictures(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("._a.png", ".cache/d.png", "notes.txt", "E.JPG", "more/f.jfif", "more/g[1].webp", "more/h.HEIC"):
        (scans / name).parent.mkdir(exist_ok=True)
        (scans / name).touch()
    monkeypatch.chdir(scans.parent)
    of_more = ["scans/more/c.png", "scans/more/f.jfif", "scans/more/g[1].webp", "scans/more/h.HEIC"]
    everything = ["scans/E.JPG", "scans/a.png", "scans/b.png", *of_more]
    for word, expected in {
        "scans": everything,
        "scans/": everything,
        "scans/m*": of_more,
        "scans/*.png": ["scans/._a.png", "scans/a.png", "scans/b.png"],
        "**/c.png": ["scans/more/c.png"],
        "scans/../scans/?.png": ["scans/../scans/a.png", "scans/../scans/b.png"],
        "scans/more/g[1].webp": ["scans/more/g[1].webp"],
        "scans/notes.txt": ["scans/notes.txt"],
        f"{scans}/b*": [f"{scans}/b.png"],
    }.items():
        assert list(find_pictures([word])) == expected, word


def test_links_in_a_folder_are_followed_once_and_broken_ones_reported(scans: Path, run_predict: Command) -> None:
    elsewhere = scans.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d.png").write_bytes((scans / "a.png").read_bytes())
    (elsewhere / "back").symlink_to(scans, target_is_directory=True)
    (scans / "linked").symlink_to(elsewhere, target_is_directory=True)
    (scans / "gone").symlink_to(scans.parent / "nowhere")
    expected = [scans / name for name in ("a.png", "b.png", "gone", "linked/d.png", "more/c.png")]
    assert list(find_pictures([str(scans)])) == list(map(str, expected))
    outcome = run_predict(str(scans))
    assert (outcome.code, outcome.err) == (1, "")
    assert f"{scans}/gone  cannot be read as a picture: No such file or directory." in outcome.out


def test_a_word_that_stands_for_no_file_has_its_line_too(run_predict: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ("empty", "**wrong", "x" * 5000, "no/*/such.png", "[")
    assert list(find_pictures(words)) == list(words)
    outcome = run_predict(*words, "--format=json")
    assert (outcome.code, outcome.err) == (1, "")
    rows = json.loads(outcome.out)
    assert [row["file"] for row in rows] == list(words)
    assert all(row["label"] is None and row["problem"].startswith("cannot be read as a picture: ") for row in rows)
    assert rows[0]["problem"].endswith("it is a folder, with no pictures in it.")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_line_is_a_line_whatever_a_file_is_called(form: str, scans: Path) -> None:
    """Ends of lines, controls of a terminal, and bytes that are no UTF-8."""
    names = [b"one\nline\x1b[2J.png", b"caf\xe9.png", "f\u00fcnf \u4e94.png".encode()]
    for name in names:
        shutil.copy(scans / "b.png", scans / os.fsdecode(name))
    command = [sys.executable, "-m", "digitrec.predict", "scans", f"--format={form}", "--explain=seen"]
    done = subprocess.run(
        command, cwd=scans.parent, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    said = done.stdout.decode()
    if form == "table":
        assert len(said.splitlines()) == 6
        assert "5  scans/one\\nline\\x1b[2J.png  " in said
        assert "5  scans/caf\\udce9.png  " in said
        assert "5  scans/f\u00fcnf \u4e94.png  " in said
    elif form == "json":
        assert {os.fsencode(row["file"]) for row in json.loads(said)} >= {b"scans/" + name for name in names}
    else:
        assert "scans/one\nline\x1b[2J.png" in [row["file"] for row in csv.DictReader(io.StringIO(said, newline=""))]
    assert len(list((scans.parent / "seen").iterdir())) == 6


def test_from_standard_input_comes_a_picture_but_no_more_than_one_may_have(
    run_predict: Command, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (scans / "a.png").read_bytes()
    for bound, said in ((len(content), "3  -  "), (len(content) - 1, "-  -  cannot be read as a picture: more than ")):
        predict._standard_input.cache_clear()
        monkeypatch.setattr(opening, "CONTENT", bound)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert run_predict("-").out.startswith(said)
    predict._standard_input.cache_clear()


def test_what_was_seen_and_why_is_drawn_on_demand(run_predict: Command, scans: Path, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60), "white").save(scans / "empty.png")
    (scans / "broken.png").touch()
    (scans / "more" / "a.png").write_bytes(file(7, "mouse", 7))
    run_predict("scans", "--explain", "new/seen", code=1)
    seen = sorted((tmp_path / "new" / "seen").iterdir())
    assert [path.name for path in seen] == [
        "a-explained (2).png",
        "a-explained.png",
        "b-explained.png",
        "c-explained.png",
        "empty-explained.png",
    ]
    assert {Image.open(path).size for path in seen} == {(920, 378)}


def test_a_later_command_does_not_write_over_drawings(run_predict: Command, scans: Path, tmp_path: Path) -> None:
    run_predict("scans/a.png", "--explain", "seen", code=0)
    first = tmp_path / "seen" / "a-explained.png"
    content = first.read_bytes()
    (scans / "a.png").write_bytes((scans / "b.png").read_bytes())
    for number in (2, 3):
        run_predict("scans/a.png", "--explain", "seen", code=0)
        assert first.with_name(f"a-explained ({number}).png").is_file()
    assert first.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_reported_before_the_work(run_predict: Command, scans: Path) -> None:
    for place in ("scans/a.png", "scans/a.png/seen"):
        run_predict("scans", "--explain", place).assert_refused("--explain: scans/a.png is a file, expected a folder")


def test_a_wrong_word_is_a_wrong_usage(run_predict: Command, scans: Path) -> None:
    for words in (("scans", "--format=xml"), (), ("",), ("scans", "--explain="), ("scans", "--chekpoint=x")):
        outcome = run_predict(*words)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert outcome.err.startswith("error: ")


ROWS = """import sys
from digitrec.predict import _with_bar
with _with_bar(iter([{"number": number} for number in range(150)]), 150) as rows:
    out = sys.stdout
    for row in rows:
        print("row", row["number"], file=out, flush=True)"""


def on_terminal(rows_too: bool, *arguments: str) -> tuple[str, str]:
    """What a terminal gets while 150 rows are written, or of another program, and what goes past it."""
    ours, theirs = pty.openpty()
    options: dict[str, Any] = {"stderr": theirs, "stdout": theirs if rows_too else subprocess.PIPE}
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, *(arguments or ("-c", ROWS))], env=environment, **options) as program:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux says so when the other side is closed
            while part := os.read(ours, 4096):
                shown += part
        past = b"" if program.stdout is None else program.stdout.read()
    os.close(ours)
    assert program.returncode == 0, shown
    return shown.decode(), past.decode()


def left_on_screen(shown: str) -> list[str]:
    """Lines that are seen in the end, of a terminal that knows what rich asks of it."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|.", shown, re.DOTALL):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\r":
            column = 0
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\x1b[1A":
            row -= 1
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
            column += 1
    return [line for line in lines if line]


def test_a_bar_on_the_terminal_leaves_every_row_on_a_line_of_its_own() -> None:
    shown, _ = on_terminal(rows_too=True)
    assert "150/150" in shown
    assert left_on_screen(shown) == [f"row {number}" for number in range(150)]


def test_rows_go_where_they_are_sent_while_the_terminal_has_the_bar() -> None:
    shown, rows = on_terminal(rows_too=False)
    assert rows.splitlines() == [f"row {number}" for number in range(150)]
    assert "150/150" in shown
    assert left_on_screen(shown) == []


@pytest.mark.parametrize("rows_too", [True, False])
def test_a_terminal_gets_a_header_and_a_pipe_none(rows_too: bool, scans: Path) -> None:
    shown, past = on_terminal(rows_too, "-m", "digitrec.predict", str(scans / "a.png"))
    first, *others = (shown if rows_too else past).splitlines()
    assert (first.split() == ["label", "picture", "confidence", "next", "labels"]) is rows_too
    assert [line.split()[:2] for line in ([first, *others][rows_too:])] == [["3", str(scans / "a.png")]]


@pytest.mark.slow
def test_a_closed_pipe_ends_it_quietly(scans: Path) -> None:
    names = " ".join(["scans"] * 50)
    command = f"set -o pipefail; {sys.executable} -m digitrec.predict {names} | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=scans.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (141, 1, "")


@pytest.fixture
def postcode(tmp_path: Path) -> Page:
    """A page in the file page.png."""
    made = page("clean", 1, Source("digits"))
    made.picture.save(tmp_path / "page.png")
    return made


def test_several_digits_in_lines_with_boxes(run_predict: Command, postcode: Page) -> None:
    (row,) = json.loads(run_predict("page.png", "--many", "--format=json").out)
    assert row["text"] == postcode.text
    assert [line["text"] for line in row["lines"]] == postcode.text.splitlines()
    digits = [digit for line in row["lines"] for word in line["words"] for digit in word]
    table = list(csv.DictReader(io.StringIO(run_predict("page.png", "--many", "--format=csv").out)))
    assert [digit["label"] for digit in digits] == [digit["label"] for digit in table]
    for digit, cells, box in zip(digits, table, postcode.boxes, strict=True):
        assert digit["box"] == [int(cells[side]) for side in ("x", "y", "width", "height")]
        assert digit["box"] == pytest.approx(box, abs=6)
    lines = run_predict("page.png", "--many").out.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        [f"page.png:{number}", text] for number, text in enumerate(postcode.text.splitlines(), start=1)
    ]


def test_of_many_too_a_bad_file_is_reported_and_the_rest_goes_on(run_predict: Command, postcode: Page) -> None:
    outcome = run_predict("nowhere.png", "page.png", "--many", code=1)
    first, *others = outcome.out.splitlines()
    assert first.startswith("nowhere.png  -  cannot be read")
    assert len(others) == len(postcode.text.splitlines())
    table = list(csv.DictReader(io.StringIO(run_predict("nowhere.png", "page.png", "--many", "--format=csv").out)))
    assert "No such file" in table[0]["problem"]
    assert len(table) == 1 + len(postcode.boxes)


@pytest.mark.parametrize("apart", [100, 160, 220, 300], ids=["near", "further", "far", "below each other"])
def test_one_of_several_digits_says_that_there_are_more(run_predict: Command, tmp_path: Path, apart: int) -> None:
    ink = np.zeros((400, 900), np.float32)
    for place, digit in enumerate(DIGITS):
        number = Digit(digit, 1).ink(100, 9)
        top, left = (150, 100 + apart * place) if apart < 300 else (20 + 125 * place, 400)
        ink[top : top + number.shape[0], left : left + number.shape[1]] = number
    Image.fromarray((255 * (1 - ink)).astype(np.uint8)).save(tmp_path / "sheet.png")
    outcome = run_predict("sheet.png", code=0)
    assert outcome.out.endswith("(3 marks of a digit's size: --many, or read_page, reads them all)\n")


@pytest.mark.parametrize("name", ["pages.tif", "moving.gif", "moving.png"])
@pytest.mark.parametrize("how", [[], ["--many"]])
def test_a_file_of_several_images_says_that_only_the_first_was_read(
    run_predict: Command, tmp_path: Path, name: str, how: list[str]
) -> None:
    first, *others = (picture(digit, "mouse", 7).convert("L").resize((300, 300)) for digit in DIGITS)
    first.save(tmp_path / name, save_all=True, append_images=others)
    outcome = run_predict(name, *how, code=0)
    assert "3" in outcome.out
    assert outcome.out.endswith("(only the first of the images in its file was read)\n")


def test_boxes_and_what_was_seen_in_them_are_drawn_on_demand(
    run_predict: Command, postcode: Page, tmp_path: Path
) -> None:
    run_predict("page.png", "--many", "--explain", "seen", code=0)
    (seen,) = (tmp_path / "seen").iterdir()
    assert seen.name == "page-explained.png"
    drawn, width, height = Image.open(seen), *postcode.picture.size
    found = Recognizer().read_page(tmp_path / "page.png")
    assert drawn.width == width
    below = np.asarray(drawn.convert("L"))[height:]
    assert below.shape[0] == 90 * len(found.lines) + 12
    for row, line in enumerate(found.lines):
        for column, digit in enumerate(line.digits):
            assert digit.reading.image is not None
            assert np.array_equal(below[90 * row + 12 :, 68 * column + 12 :][:56:2, :56:2], digit.reading.image)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_files_stream_in_bounded_memory(tmp_path: Path) -> None:
    """Memory after 10,000 files is what it was after 100, but for 50 MB."""
    for number in range(100):
        (tmp_path / f"{number:03}.png").write_bytes(file(number % 10, "tiny", number))
    program = (
        "import resource, sys; from digitrec import predict\n"
        "try: predict.main()\n"
        "except SystemExit: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    peaks = []
    for times in (1, 100):
        names = [str(path) for path in sorted(tmp_path.glob("*.png"))] * times
        done = subprocess.run(
            [sys.executable, "-c", program, *names, "--format=csv"], capture_output=True, text=True, check=True
        )
        assert done.stdout.count("\n") == 1 + 100 * times
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 50_000, "kB"


def test_a_checkpoint_that_is_none_is_named(run_predict: Command, scans: Path) -> None:
    outcome = run_predict("scans", "--checkpoint", "nowhere")
    outcome.assert_refused("nowhere: no such file", "run folder", ".ckpt", ".safetensors", ".onnx")


@pytest.mark.parametrize(
    "arguments",
    [["scans/a.png"], ["--many", "scans/a.png"], ["--help"], ["--labelled", "scans", "--explain", "seen"]],
)
def test_it_answers_without_torch(arguments: list[str], scans: Path) -> None:
    (scans / "truth.json").write_text('{"a.png": "7"}')
    program = (
        "import sys; from digitrec import predict\n"
        "try: predict.main()\n"
        "except SystemExit: print([name for name in ('torch', 'lightning', 'hydra') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=scans.parent, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.endswith("\n[]\n")
