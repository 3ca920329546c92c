import base64
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from digitrec.evaluation.comparison import McNemar
from digitrec.evaluation.evaluation import Evaluation
from digitrec.reports.figures import FIGURES, draw_all
from digitrec.reports.report import headline, verdict, write_report

Make = Callable[..., Evaluation]
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;", "{{ 7 * 7 }}")
VOID = {"meta", "img", "source", "br"}


class Page(HTMLParser):
    """Tags with their attributes, and all words; raises AssertionError where a tag is closed that is not open."""

    def __init__(self, report: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(report.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def report(make_evaluation: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Page on classes with names that would like to be more than words."""
    return write_report(make_evaluation(HOSTILE, skill=2.0), tmp_path_factory.mktemp("report") / "new" / "folder")


def test_page_shows_every_figure_that_lies_beside_it(report: Path) -> None:
    page = Page(report)
    assert page.open == []
    assert {attributes["id"] for attributes in page.all("figure")} == set(FIGURES)
    pngs = {file.stem: file.read_bytes() for file in (report.parent / "figures").iterdir()}
    assert set(pngs) == set(FIGURES)
    shown = [_decoded(image["src"]) for image in page.all("img")]
    assert sorted(shown) == sorted(pngs.values())
    dark = [_decoded(source["srcset"]) for source in page.all("source")]
    assert len(dark) == len(shown)
    assert not set(dark) & set(shown)
    assert all(source["media"] == "(prefers-color-scheme: dark)" for source in page.all("source"))
    for name, spec in FIGURES.items():
        assert spec.title in page.words, name
        assert spec.caption in page.words, name


def test_page_needs_nothing_but_itself(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    page = Page(report)
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert not page.all("script")
    assert not page.all("link")
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {str(link["href"]).removeprefix("#") for link in page.all("a")} <= ids


def test_every_image_is_described(report: Path) -> None:
    images = Page(report).all("img")
    assert all(len(image["alt"] or "") > 20 and image["width"] and image["height"] for image in images)


def test_names_from_people_are_words_and_nothing_else(report: Path) -> None:
    page = Page(report)
    assert not page.all("script")
    assert not page.all("b")
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    for name in (*HOSTILE, "CNN on <noise>", 'a "quoted" & <odd> path.ckpt', "<b>MLP</b>"):
        assert name in page.words


def test_what_is_missing_has_no_place(make_evaluation: Make, tmp_path: Path) -> None:
    evaluation = make_evaluation(bare=True)
    page = Page(write_report(evaluation, tmp_path))
    assert {attributes["id"] for attributes in page.all("figure")} == set(draw_all(evaluation))
    assert "Comparison" not in page.words
    assert "Training" not in page.words


def test_headline_has_the_numbers(make_evaluation: Make) -> None:
    evaluation = make_evaluation(skill=2.0)
    cards = {card.label: card for card in headline(evaluation)}
    wrong = int((~evaluation.predictions.correct).sum())
    assert cards["Accuracy"].value == f"{evaluation.metrics['accuracy']:.2%}"
    assert (cards["Mistakes"].value, cards["Mistakes"].note) == (str(wrong), "of 400 images")
    assert cards["F1"].value == f"{evaluation.metrics['f1']:.4f}"


@pytest.mark.parametrize(("p_value", "words"), [(1e-9, "more than chance would explain"), (0.05, "may well be chance")])
def test_verdict_follows_the_test(make_evaluation: Make, p_value: float, words: str) -> None:
    comparison = make_evaluation().comparison
    assert comparison is not None
    changed = replace(comparison, test=McNemar(12, 34, p_value), difference=(-0.0123, -0.02, 0.001))
    sentence = verdict(changed)
    assert words in sentence
    assert "\N{MINUS SIGN}1.23 percentage points (95% interval \N{MINUS SIGN}2.00 to +0.10)" in sentence
    assert "12 images" in sentence


def _decoded(uri: str | None) -> bytes:
    kind, _, data = (uri or "").partition(",")
    assert kind == "data:image/png;base64"
    return base64.b64decode(data)


@pytest.mark.parametrize(
    ("names", "labels"), [(("0", "7"), {"R²"}), (("cat", "dog", "cow"), {"Top-2 accuracy"}), (("cat", "dog"), set())]
)
def test_headline_leaves_out_what_says_nothing(make_evaluation: Make, names: tuple[str, ...], labels: set[str]) -> None:
    shown = {card.label for card in headline(make_evaluation(names))}
    assert shown & {"R²", "Top-2 accuracy"} == labels
