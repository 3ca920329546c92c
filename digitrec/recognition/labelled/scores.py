"""How well labelled pictures were read: right, rejected, wrong, confused."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from digitrec.evaluation.intervals import wilson_interval
from digitrec.recognition.labelled.truth import Labelled
from digitrec.recognition.page import Page
from digitrec.recognition.reading import Reading
from digitrec.recognition.recognizer import Recognizer

RIGHT, REJECTED, WRONG, UNREADABLE = "right", "rejected", "wrong", "unreadable"
DIGITS, PAGES, NO_DIGIT = "digits", "pages", "none"


@dataclass(frozen=True)
class Result:
    """What a labelled picture was read as.

    Attributes:
        picture: with its truth.
        found: what was read.
        seconds: of processor time.
    """

    picture: Labelled
    found: Reading | Page
    seconds: float

    @property
    def kind(self) -> str:
        """Of the picture: digits, pages, or none where it shows no digit."""
        return NO_DIGIT if not self.picture.truth else PAGES if self.picture.many else DIGITS

    @property
    def text(self) -> str:
        """What was read, empty for nothing."""
        return self.found.text if isinstance(self.found, Page) else self.found.label or ""

    @property
    def verdict(self) -> str:
        """right, rejected, wrong or unreadable; spaces don't count, ends of lines do."""
        if not self.found.is_readable:
            return UNREADABLE
        if self.text.replace(" ", "") == self.picture.truth.replace(" ", ""):
            return RIGHT
        return WRONG if self.text else REJECTED

    @property
    def digits_wrong(self) -> int:
        """Digits of the truth that are lost: the edit distance, at most all of them."""
        read, truth = ("".join(text.split()) for text in (self.text, self.picture.truth))
        return min(edit_distance(read, truth), len(truth))


@dataclass(frozen=True)
class Score:
    """Of the pictures of one kind; unreadable ones count only as such.

    Attributes:
        kind: digits, pages or none.
        results: of its pictures, at least one.
    """

    kind: str
    results: Sequence[Result]

    def count(self, verdict: str) -> int:
        """Pictures with a verdict."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def pictures(self) -> int:
        """Those that can be read."""
        return len(self.results) - self.count(UNREADABLE)

    @property
    def accuracy(self) -> tuple[float, float, float]:
        """Share of the pictures that are read right, with the ends of its 95 % interval; of none, nothing is known."""
        if not self.pictures:
            return 0.0, 0.0, 1.0
        return self.count(RIGHT) / self.pictures, *wilson_interval(self.count(RIGHT), self.pictures)

    @property
    def digits(self) -> tuple[int, int]:
        """How many of the digits of the truths are read right, and how many there are."""
        readable = [result for result in self.results if result.verdict != UNREADABLE]
        total = sum(len("".join(result.picture.truth.split())) for result in readable)
        return total - sum(result.digits_wrong for result in readable), total

    @property
    def confusions(self) -> list[tuple[str, str, int]]:
        """Truth, label and number of single digits read wrong, the most frequent first; an empty truth is no digit."""
        pairs = Counter(
            (one.picture.truth, one.text)
            for one in self.results
            if one.verdict == WRONG and isinstance(one.found, Reading)
        )
        return [(*pair, number) for pair, number in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))]

    @property
    def slowest(self) -> Result:
        """The picture that took most processor time."""
        return max(self.results, key=lambda result: result.seconds)

    def as_json(self) -> dict[str, Any]:
        """All of it by name, shares in [0, 1]."""
        accuracy, low, high = self.accuracy
        entry: dict[str, Any] = {"kind": self.kind, "pictures": self.pictures}
        entry |= {verdict: self.count(verdict) for verdict in (RIGHT, REJECTED, WRONG, UNREADABLE)}
        entry |= {"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high}
        if self.kind == PAGES:
            entry |= dict(zip(("digits_right", "digits"), self.digits, strict=True))
        entry["confusions"] = [dict(zip(("truth", "label", "pictures"), one, strict=True)) for one in self.confusions]
        return entry | {"slowest": {"file": self.slowest.picture.file, "seconds": round(self.slowest.seconds, 3)}}


def read_labelled(recognizer: Recognizer, pictures: Iterable[Labelled]) -> Iterator[Result]:
    """Read pictures one by one, so that each has its time."""
    for picture in pictures:
        start = time.process_time()
        read: Any = recognizer.read_pages if picture.many else recognizer.read_all
        (found,) = read([picture.file])
        yield Result(picture, found, time.process_time() - start)


def scores_of(results: Iterable[Result]) -> list[Score]:
    """A score for each kind that there is."""
    by_kind: dict[str, list[Result]] = {DIGITS: [], PAGES: [], NO_DIGIT: []}
    for result in results:
        by_kind[result.kind].append(result)
    return [Score(kind, of_kind) for kind, of_kind in by_kind.items() if of_kind]


def edit_distance(one: str, other: str) -> int:
    """Letters to insert, delete or replace to make one text the other (Levenshtein, 1966)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        above, row[0] = row[0], number
        for place, another in enumerate(other, start=1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (letter != another))
    return row[-1]
