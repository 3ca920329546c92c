"""Scores of labelled pictures as a person or a program reads them."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

from digitrec.recognition.explanation import summary
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
from digitrec.system.wording import printable

COLUMNS = ("file", "truth", "verdict", "label", "text", "confidence", "problem", "seconds")
TITLES = {"digits": "of one digit", "pages": "of several digits", "none": "without a digit"}


def print_results(results: Iterable[Result], form: str) -> list[Result]:
    """Print as table, json or csv what pictures were read as, and return it: of a table, mistakes and scores."""
    if form == "csv":
        return _print_csv(results)
    found = []
    for result in results:
        found.append(result)
        if form == "table" and result.verdict != RIGHT:
            print(f"{printable(result.picture.file)}  {described(result)}", flush=True)  # noqa: T201
    scores = scores_of(found)
    if form == "json":
        entry = {"scores": [score.as_json() for score in scores], "pictures": list(map(_row, found))}
        json.dump(entry, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        for score in scores:
            print("\n".join(lines_of(score)))  # noqa: T201
    return found


def described(result: Result) -> str:
    """In a line, what a picture shows and what was read, or why nothing was."""
    truth, found = in_line(result.picture.truth), result.found
    shows = f"shows {truth}" if truth else "shows no digit"
    read = "read as " if result.verdict == WRONG else ""
    if isinstance(found, Page):
        return f"{shows}: {read}{in_line(found.problem or result.text)}{_left_out(found)}"
    return f"{shows}: {read}{summary(found)}"


def _left_out(page: Page) -> str:
    """Why other marks of a page are not among its digits."""
    problems = [str(digit.reading.problem) for line in page.lines for digit in line.others]
    reasons = Counter(problem.removeprefix("not a digit: ").partition(" (")[0] for problem in problems)
    return "; left out: " + ", ".join(f"{reason} ({number})" for reason, number in reasons.items()) if reasons else ""


def in_line(text: str) -> str:
    """A text of several lines in one."""
    return printable(text.replace("\n", " / "))


def lines_of(score: Score) -> list[str]:
    """A score in words, a line for each number."""
    share, low, high = score.accuracy
    slowest = score.slowest
    lines = [
        f"{score.pictures:,} {'picture' if score.pictures == 1 else 'pictures'} {TITLES[score.kind]}",
        f"  {RIGHT:9} {score.count(RIGHT):5,}   {share:.1%}, 95% interval {low:.1%} to {high:.1%}",
    ]
    if score.kind != NO_DIGIT:
        lines.append(f"  {REJECTED:9} {score.count(REJECTED):5,}")
    lines.append(f"  {WRONG:9} {score.count(WRONG):5,}   {confusions_of(score)}".rstrip())
    if score.kind == PAGES:
        right, digits = score.digits
        lines.append(f"  digits    {right:5,}   of {digits:,} right, {right / max(digits, 1):.1%} (edit distance)")
    if score.count(UNREADABLE):
        lines.append(f"  {UNREADABLE} {score.count(UNREADABLE)}, not counted")
    return [*lines, f"  slowest   {slowest.seconds:5.2f} s of processor time, {printable(slowest.picture.file)}"]


def confusions_of(score: Score) -> str:
    """Which labels were read in place of which."""
    pairs = (
        f"{printable(truth)} as {printable(label)}" if truth else f"as {printable(label)}"
        for truth, label, _ in score.confusions
    )
    numbers = (f" ({number})" if number > 1 else "" for _, _, number in score.confusions)
    return ", ".join(pair + number for pair, number in zip(pairs, numbers, strict=True))


def _print_csv(results: Iterable[Result]) -> list[Result]:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    found = []
    for result in results:
        found.append(result)
        writer.writerow(_row(result))
    return found


def _row(result: Result) -> dict[str, Any]:
    found = result.found
    read = (
        {"text": found.text}
        if isinstance(found, Page)
        else {"label": found.label, "confidence": round(found.confidence, 4)}
    )
    row = {"file": result.picture.file, "truth": result.picture.truth, "verdict": result.verdict, **read}
    return {**row, "problem": found.problem, "seconds": round(result.seconds, 3)}
