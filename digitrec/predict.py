"""Read digits on pictures: python -m digitrec.predict photo.png scans/*.jpg, with --many several on each."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from digitrec.run_folder import named_network
from digitrec.system.terminal import Parser, end_with, folder
from digitrec.system.wording import printable

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong argument shall not wait for it
    from PIL import Image

    from digitrec.recognition.page import Digit, Page
    from digitrec.recognition.reading import Reading
    from digitrec.recognition.recognizer import Recognizer

STANDARD_INPUT = "-"
WORTH_A_BAR = 100  # pictures
SHOWN = 3  # classes with their probabilities
EPILOG = "Exit code: 1 if a picture can't be read, 2 for a wrong command; a picture without a digit is no failure."
CELLS = ("digit", "confidence", "second", "second_confidence")  # columns keep their places, so the label comes last
Result = TypeVar("Result")
Row = dict[str, Any]
Write = Callable[[Row], object]


def main() -> None:
    """Entry point of the command line.

    Raises:
        SystemExit: 0 all pictures could be read, even if they show no digit; 1 some could not, 2 wrong usage.
    """
    parser = Parser(prog="python -m digitrec.predict", description=__doc__, epilog=EPILOG)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="file, folder, pattern, or - for standard input")
    parser.add_argument("--many", action="store_true", help="several digits on each picture, in lines")
    parser.add_argument("--checkpoint", help="run folder, .ckpt, .safetensors, .onnx; default: the shipped weights")
    parser.add_argument("--format", choices=WRITERS, default="table", help="of the output (default: %(default)s)")
    parser.add_argument(
        "--explain", type=folder, metavar="DIR", help="draw the network's inputs there, and why or where it read what"
    )
    parser.add_argument(
        "--labelled",
        action="store_true",
        help="how well folders are read: sub-folders named by digit (and none), or truth.json or .csv beside pictures",
    )
    end_with(partial(_predict, parser.parse_args()))


def _predict(arguments: argparse.Namespace) -> int:
    arguments.checkpoint = named_network(arguments.checkpoint)
    from digitrec.preprocessing.finding import find_pictures

    names = [] if arguments.labelled else list(find_pictures(arguments.pictures))
    from digitrec.recognition.explanation import Explanations
    from digitrec.recognition.recognizer import Recognizer

    explanations = None if arguments.explain is None else Explanations(arguments.explain)
    recognizer = Recognizer(arguments.checkpoint)
    if not recognizer.rejects:
        _warn("this network was not trained to reject what is none of its classes, and gives almost all ink a label")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files are bytes, not always of this encoding
    if arguments.labelled:
        return _score(recognizer, arguments)
    read: Any = recognizer.read_pages if arguments.many else recognizer.read_all
    row_of: Any = _page if arguments.many else _digit
    results: Iterable[Reading | Page] = read(map(_open, names))
    failed = 0
    with _with_bar(results, len(names)) as shown, WRITERS[arguments.format](arguments.many) as write:
        for name, result in zip(names, shown, strict=True):
            if not result.is_readable:
                failed += 1
            elif explanations is not None:
                title = "standard input" if name == STANDARD_INPUT else name
                explanations.save(_drawing(recognizer, _open(name), result, title), title)
            write({"file": name, **row_of(result), "problem": result.problem, "note": result.note})
    return int(failed > 0)


def _score(recognizer: Recognizer, arguments: argparse.Namespace) -> int:
    from digitrec.recognition.labelled.output import print_results
    from digitrec.recognition.labelled.scores import read_labelled
    from digitrec.recognition.labelled.truth import find_labelled

    pictures, unknown = find_labelled(arguments.pictures, recognizer.class_names, arguments.many)
    if unknown:
        etc = ", ..." if len(unknown) > 1 else ""
        _warn(f"it is not known what {len(unknown):,} of the pictures show: {unknown[0]}{etc}; left out")
    with _with_bar(read_labelled(recognizer, pictures), len(pictures)) as shown:
        results = print_results(shown, arguments.format)
    if arguments.explain is not None:
        from digitrec.recognition.labelled.mistakes import write_mistakes

        page = write_mistakes(arguments.explain, recognizer, results)
        print(f"mistakes: {page}", file=sys.stderr)  # noqa: T201
    return int(not all(result.found.is_readable for result in results))


def _warn(message: str) -> None:
    print(f"note: {printable(message)}", file=sys.stderr)  # noqa: T201


def _open(name: str) -> str | bytes:
    return _standard_input() if name == STANDARD_INPUT else name


@cache
def _standard_input() -> bytes:
    """Read once: `--explain` needs it again. One byte more than a picture may have, so that a longer one is refused."""
    from digitrec.preprocessing import picture

    return sys.stdin.buffer.read(picture.CONTENT + 1)


@contextmanager
def _with_bar(results: Iterable[Result], count: int) -> Iterator[Iterable[Result]]:
    """The same results, with a progress bar below the output on a terminal."""
    if not sys.stderr.isatty() or count < WORTH_A_BAR:
        yield results
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = *Progress.get_default_columns(), MofNCompleteColumn()
    console = Console(stderr=True)
    # What is printed meanwhile goes above the bar if it goes to the terminal too, else where it was sent.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        yield progress.track(results, count, description="Reading")


def _drawing(recognizer: Recognizer, picture: str | bytes, result: Reading | Page, title: str) -> Image.Image:
    """The network's input and why it was read so; of a page, where the digits are."""
    from digitrec.recognition.drawing import draw_page_with_inputs
    from digitrec.recognition.explanation import draw_reading
    from digitrec.recognition.page import Page

    if isinstance(result, Page):
        return draw_page_with_inputs(picture, result)
    return draw_reading(picture, result, recognizer.occlusion_map(result), title)


def _digit(reading: Reading) -> Row:
    shown = list(reading.probabilities.items())[:SHOWN] if reading.label is not None else []
    others = {label: round(probability, 4) for label, probability in shown[1:]}
    # "digit" is the name that earlier versions gave the label
    return {
        "label": reading.label,
        "digit": reading.label,
        "confidence": round(reading.confidence, 4),
        "others": others,
        **({} if reading.labels is None else {"labels": list(reading.labels)}),
    }


def _page(page: Page) -> Row:
    def placed(digit: Digit) -> Row:
        return {**_digit(digit.reading), "box": [int(side) for side in digit.box]}

    lines = [{"text": line.text, "words": [list(map(placed, word)) for word in line.words]} for line in page.lines]
    return {"text": page.text, "lines": [line for line in lines if line["words"]]}


@contextmanager
def _table(many: bool) -> Iterator[Write]:
    if sys.stdout.isatty():
        print("picture:line  text" if many else "label  picture  confidence   next labels")  # noqa: T201
    yield _print_lines if many else _print_digit


def _print_digit(row: Row) -> None:
    others = "  ".join(f"{printable(label)} {probability:.1%}" for label, probability in row["others"].items())
    result = row["problem"] or f"{row['confidence']:6.1%}   {others}"
    print(f"{printable(row['digit'] or '-')}  {printable(row['file'])}  {result}{_note(row)}", flush=True)  # noqa: T201


def _print_lines(row: Row) -> None:
    """A row for each line of writing, with its least sure digit."""
    name = printable(row["file"])
    for number, line in enumerate(row["lines"], start=1):
        least = min((digit for word in line["words"] for digit in word), key=lambda digit: digit["confidence"])
        unsure = f"{printable(least['digit'])} {least['confidence']:.1%}"
        print(f"{name}:{number}  {printable(line['text'])}  least sure: {unsure}", flush=True)  # noqa: T201
    if row["problem"] or row["note"]:
        print(f"{name}  -  {row['problem'] or ''}{_note(row)}", flush=True)  # noqa: T201


def _note(row: Row) -> str:
    return f"   ({row['note']})" if row["note"] else ""


@contextmanager
def _json(_many: bool) -> Iterator[Write]:
    """A list, a line for each picture."""
    separator = "[\n"

    def write(row: Row) -> None:
        nonlocal separator
        sys.stdout.write(separator + json.dumps(row))
        separator = ",\n"

    try:
        yield write
    finally:  # Ctrl-C leaves a list, too
        sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


@contextmanager
def _csv(many: bool) -> Iterator[Write]:
    """A row for each picture; of several digits a row for each, and one for a picture's problem or note."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    place, box = (("line", "word"), ("x", "y", "width", "height")) if many else ((), ())
    writer.writerow(["file", *place, *CELLS, *box, "problem", "note", "label"])

    def write(row: Row) -> None:
        problem_and_note = [row["problem"], row["note"]]
        if not many:
            writer.writerow([row["file"], *_cells(row), *problem_and_note, row["label"]])
            return
        for number, line in enumerate(row["lines"], start=1):
            for word_number, word in enumerate(line["words"], start=1):
                for digit in word:
                    cells = [*_cells(digit), *digit["box"], None, None, digit["label"]]
                    writer.writerow([row["file"], number, word_number, *cells])
        if any(problem_and_note):
            writer.writerow([row["file"], *[None] * len((*place, *CELLS, *box)), *problem_and_note, None])

    yield write


def _cells(digit: Row) -> list[Any]:
    second = next(iter(digit["others"].items()), ("", ""))
    return [digit["digit"], digit["confidence"], *second]


WRITERS = {"table": _table, "json": _json, "csv": _csv}

if __name__ == "__main__":
    main()
