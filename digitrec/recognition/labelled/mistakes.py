"""A page of the labelled pictures that were not read right, and why."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from digitrec.recognition.drawing import draw_page_with_inputs
from digitrec.recognition.explanation import draw_squares
from digitrec.recognition.labelled.output import TITLES, confusions_of, described, in_line
from digitrec.recognition.labelled.scores import (
    NO_DIGIT,
    PAGES,
    REJECTED,
    RIGHT,
    UNREADABLE,
    WRONG,
    Result,
    Score,
    scores_of,
)
from digitrec.recognition.page import Page
from digitrec.recognition.recognizer import Recognizer
from digitrec.reports.page import Card, data_uri, write_page
from digitrec.system.files import free_path

TEMPLATE = Path(__file__).with_suffix(".html")
ORDER = (WRONG, REJECTED, UNREADABLE)


def write_mistakes(folder: Path, recognizer: Recognizer, results: Sequence[Result]) -> Path:
    """Write a self-contained page of scores, and of every mistake with what the network saw; return its path."""
    scores = scores_of(results)
    return write_page(
        TEMPLATE,
        free_path(folder / "mistakes.html"),
        sections=[(TITLES[score.kind], _cards(score), confusions_of(score), _mistakes(score)) for score in scores],
        described=described,
        in_line=in_line,
        drawings=lambda result: _drawings(recognizer, result),
    )


def _cards(score: Score) -> list[Card]:
    share, low, high = score.accuracy
    whole = "Nothing read" if score.kind == NO_DIGIT else "Whole text right" if score.kind == PAGES else "Read right"
    cards = [Card(whole, f"{share:.1%}", f"95% interval {low:.1%} to {high:.1%}, {score.pictures:,} pictures")]
    if score.kind == PAGES:
        right, digits = score.digits
        cards.append(Card("Digits right", f"{right / max(digits, 1):.1%}", f"of {digits:,}, by edit distance"))
    wrong = "Read as a digit" if score.kind == NO_DIGIT else "Wrong"
    names = {WRONG: wrong, REJECTED: "Rejected", UNREADABLE: "Unreadable"}
    counts = {name: score.count(verdict) for verdict, name in names.items()}
    return cards + [Card(name, f"{count:,}", "pictures") for name, count in counts.items() if count]


def _mistakes(score: Score) -> list[Result]:
    """The wrong ones first, then the rejected ones."""
    wrong = [result for result in score.results if result.verdict != RIGHT]
    return sorted(wrong, key=lambda result: (ORDER.index(result.verdict), result.picture.truth, result.picture.file))


def _drawings(recognizer: Recognizer, result: Result) -> Mapping[str, str]:
    """Pictures by their titles, as addresses."""
    found, file = result.found, result.picture.file
    if not found.is_readable:
        return {}
    if isinstance(found, Page):
        return {"what was read where, and the network's inputs": _address(draw_page_with_inputs(file, found))}
    squares = draw_squares(file, found, recognizer.occlusion_map(found))
    return {title: _address(square) for title, square in squares.items()}


def _address(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, format="webp", quality=85)
    return data_uri(stream.getvalue(), "webp")
