"""How well pictures are read whose digits are known: counts, truths, bad input, the page of mistakes."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from digitrec import predict
from digitrec.evaluation.intervals import wilson_interval
from digitrec.recognition.labelled.scores import edit_distance
from tests.command import Command, Outcome
from tests.handwriting.pages import Source, page
from tests.handwriting.situations import file


@pytest.fixture
def run_labelled(run_main: Callable[..., Outcome]) -> Command:
    """`python -m digitrec.predict --labelled ...`."""
    return partial(run_main, predict.main, "--labelled")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Four pictures that are read right, an 8 among the 3s, an empty sheet among the 5s, a 7 and a sheet as none."""
    pictures = {"3/a": 3, "3/b": 3, "5/c": 5, "8/d": 8, "3/e": 8, "5/empty": None, "none/f": 7, "none/empty": None}
    for name, digit in pictures.items():
        path = tmp_path / "mine" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if digit is None:
            Image.new("L", (60, 60), 255).save(path)
        else:
            path.write_bytes(file(digit, "mouse", 7))
    return tmp_path / "mine"


@pytest.fixture
def form(tmp_path: Path) -> Path:
    """A page, read right, with its text in truth.json."""
    made = page("clean", 1, Source("digits"))
    (tmp_path / "forms").mkdir()
    made.picture.save(tmp_path / "forms" / "page.png")
    (tmp_path / "forms" / "truth.json").write_text(json.dumps({"page.png": made.text}))
    return tmp_path / "forms"


def answer(run_labelled: Command, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What the JSON form says: scores by kind, and the pictures."""
    found = json.loads(run_labelled(*arguments, "--format=json", code=code).out)
    return {**found, "scores": {score["kind"]: score for score in found["scores"]}}


def test_pictures_in_folders_of_their_label_are_counted(run_labelled: Command, mine: Path) -> None:
    found = answer(run_labelled, "mine")
    digits, none = found["scores"]["digits"], found["scores"]["none"]
    counted = ("pictures", "right", "rejected", "wrong", "unreadable")
    assert [digits[name] for name in counted] == [6, 4, 1, 1, 0]
    assert [none[name] for name in counted] == [2, 1, 0, 1, 0]
    assert (digits["accuracy"], digits["accuracy_low"], digits["accuracy_high"]) == (4 / 6, *wilson_interval(4, 6))
    assert digits["confusions"] == [{"truth": "3", "label": "8", "pictures": 1}]
    assert none["confusions"] == [{"truth": "", "label": "7", "pictures": 1}]
    slowest = max((one for one in found["pictures"] if one["truth"]), key=lambda one: one["seconds"])
    assert digits["slowest"]["seconds"] == slowest["seconds"] > 0


def test_table_json_and_csv_agree(run_labelled: Command, mine: Path) -> None:
    found = answer(run_labelled, "mine")
    table = list(csv.DictReader(io.StringIO(run_labelled("mine", "--format=csv", code=0).out)))
    for name in ("file", "truth", "verdict", "label"):
        assert [row[name] for row in table] == [one[name] or "" for one in found["pictures"]], name
    *mistakes, six, right, rejected, wrong, slow, two, _, taken, _ = run_labelled("mine", code=0).out.splitlines()
    assert [line.split("  ")[0] for line in mistakes] == [
        one["file"] for one in found["pictures"] if one["verdict"] != "right"
    ]
    low, high = (f"{100 * end:.1f}%" for end in wilson_interval(4, 6))
    assert right.split() == ["right", "4", "66.7%,", "95%", "interval", low, "to", high]
    assert (six, two) == ("6 pictures of one digit", "2 pictures without a digit")
    assert (rejected.split(), wrong.split()) == (["rejected", "1"], ["wrong", "1", "3", "as", "8"])
    assert taken.split() == ["wrong", "1", "as", "7"]
    assert re.fullmatch(r"  slowest +\d+\.\d\d s of processor time, mine/\d/\w+\.png", slow)


def test_the_nearest_folder_decides_up_to_the_one_that_is_given(run_labelled: Command, mine: Path) -> None:
    (mine / "3").rename(mine.parent / "more")
    (mine / "8" / "3").mkdir()
    for name in ("a", "b", "e"):
        (mine.parent / "more" / f"{name}.png").rename(mine / "8" / "3" / f"{name}.png")
    found = answer(run_labelled, "mine/8")
    assert Counter(one["truth"] for one in found["pictures"]) == {"3": 3, "8": 1}
    assert [one["truth"] for one in answer(run_labelled, "mine/none")["pictures"]] == ["", ""]
    assert [one["truth"] for one in answer(run_labelled, "mine/5/c.png")["pictures"]] == ["5"]


def test_of_pages_the_whole_text_and_the_digits_count(run_labelled: Command, form: Path) -> None:
    text = json.loads((form / "truth.json").read_text())["page.png"]
    digits = len("".join(text.split()))
    for truth, right, whole in ((text, digits, 1), (text + "1", digits, 0), (text.replace(" ", ""), digits, 1)):
        (form / "truth.json").write_text(json.dumps({"page.png": truth}))
        score = answer(run_labelled, "forms")["scores"]["pages"]
        assert (score["digits_right"], score["right"]) == (right, whole)
        assert score["digits"] == len("".join(truth.split()))


def test_csv_is_the_same_truth(run_labelled: Command, form: Path) -> None:
    expected = answer(run_labelled, "forms")["scores"]["pages"]["digits"]
    truth = json.loads((form / "truth.json").read_text())
    (form / "truth.json").unlink()
    for delimiter, column, mark in ((",", "text", ""), (";", "label", "\ufeff")):
        stream = io.StringIO()
        csv.writer(stream, delimiter=delimiter).writerows([["file", column], *truth.items()])
        (form / "truth.csv").write_text(mark + stream.getvalue(), encoding="utf-8", newline="")
        score = answer(run_labelled, "forms")["scores"]["pages"]
        assert (score["right"], score["digits"]) == (1, expected)


def test_a_file_of_truths_with_labels_alone_is_of_single_digits(run_labelled: Command, mine: Path) -> None:
    (mine / "3" / "truth.json").write_text('{"a.png": 3, "e.png": "8", "b.png": null}')
    scores = answer(run_labelled, "mine/3")["scores"]
    assert (scores["digits"]["right"], scores["digits"]["pictures"], scores["none"]["wrong"]) == (2, 2, 1)
    assert answer(run_labelled, "mine/3", "--many")["scores"]["pages"]["right"] == 2, "read as pages"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("truth.json", "{", "cannot be read: Expecting property name"),
        ("truth.json", '["page.png"]', 'a list; expected {"scan.png": "1234", ...}'),
        ("truth.json", '{"page.png": [1]}', "page.png has [1]; expected"),
        ("truth.json", '{"page.png": "1", "b.png": "2", "c.png": "3"}', "b.png and 1 more not in its folder"),
        ("truth.json", '{"page.png": "12+3"}', "page.png has +, expected only labels"),
        ("truth.csv", "name,text\npage.png,1\n", "its first line is 'name,text'; expected the columns file and text"),
        ("truth.csv", b"\xff\xfe\x00", "expected the columns file and text"),
    ],
)
def test_a_truth_that_cannot_be_is_named(
    name: str, content: str | bytes, words: str, run_labelled: Command, form: Path
) -> None:
    (form / "truth.json").unlink()
    (form / name).write_bytes(content.encode() if isinstance(content, str) else content)
    run_labelled("forms").assert_refused(f"forms/{name}", words, code=1)


def test_without_any_truth_it_is_told_where_that_is_looked_for(run_labelled: Command, form: Path) -> None:
    (form / "truth.csv").touch()
    run_labelled("forms").assert_refused("both truth.json and truth.csv", code=1)
    for name in ("truth.json", "truth.csv"):
        (form / name).unlink()
    run_labelled("forms").assert_refused("sub-folders named by label (0 to 9, none)", "truth.json or truth.csv")
    run_labelled("nowhere").assert_refused("nowhere: no picture found there")


def test_what_is_unknown_or_broken_is_left_out_and_named(run_labelled: Command, mine: Path) -> None:
    (mine / "loose.png").write_bytes(file(1, "mouse", 1))
    (mine / "5" / "broken.png").write_text("no picture")
    outcome = run_labelled("mine", code=1)
    assert outcome.err.splitlines() == ["note: it is not known what 1 of the pictures show: mine/loose.png; left out"]
    assert "mine/5/broken.png  shows 5: cannot be read as a picture: no known image format" in outcome.out
    assert "6 pictures of one digit" in outcome.out
    assert "unreadable 1, not counted" in outcome.out
    assert answer(run_labelled, "mine/5/broken.png", code=1)["scores"]["digits"]["pictures"] == 0


def test_every_mistake_is_on_the_page_with_what_was_seen(run_labelled: Command, mine: Path, form: Path) -> None:
    (mine / "5" / "<b>&.png").write_bytes(file(8, "mouse", 8))
    (mine / "5" / "broken.png").touch()
    (form / "truth.json").write_text('{"page.png": "11"}')
    outcome = run_labelled("mine", "forms", "--explain", "why", code=1)
    assert outcome.err == "mistakes: why/mistakes.html\n"
    written = (mine.parent / "why" / "mistakes.html").read_text()
    shown = re.findall(r"<h3>(.*?)</h3>\n<p>(.*?)</p>\n<div[^>]*>(.*?)</div>", written, re.DOTALL)
    drawings = {name: drawn.count('src="data:image/webp;base64,') for name, _, drawn in shown}
    assert drawings == {
        **dict.fromkeys(("mine/3/e.png", "mine/5/empty.png", "mine/5/&lt;b&gt;&amp;.png", "mine/none/f.png"), 3),
        "forms/page.png": 1,
        "mine/5/broken.png": 0,
    }
    reasons = {name: why for name, why, _ in shown}
    assert reasons["mine/3/e.png"].startswith("shows 3: read as 8 (")
    assert reasons["mine/5/empty.png"] == "shows 5: not a digit: no ink found"
    assert not re.search(r'(src|href)="(?!data:|#)', written), "it asks for nothing"
    run_labelled("mine", "--explain", "why", code=1)
    assert {path.name for path in (mine.parent / "why").iterdir()} == {"mistakes.html", "mistakes (2).html"}
    assert (mine.parent / "why" / "mistakes.html").read_text() == written


def test_the_edit_distance_is_that_of_the_definition() -> None:
    def defined(one: str, other: str) -> int:
        if not one or not other:
            return len(one) + len(other)
        steps = (one[1:], other), (one, other[1:]), (one[1:], other[1:])
        costs = 1, 1, int(one[0] != other[0])
        return min(cost + defined(*step) for cost, step in zip(costs, steps, strict=True))

    texts = ["".join(letters) for length in range(5) for letters in product("01", repeat=length)]
    for one, other in product(texts, texts):
        assert edit_distance(one, other) == defined(one, other), (one, other)
