"""Read digits on pictures: python -m digitrec.predict photo.png scans/*.jpg, with --many several on each."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from digitrec.system.terminal import Parser, end_with
from digitrec.wording import printable

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong argument shall not wait for it
    from PIL import Image

    from digitrec.recognition.page import Digit, Page
    from digitrec.recognition.recognizer import Reading, Recognizer

STANDARD_INPUT = "-"
WORTH_A_BAR = 100  # pictures
SHOWN = 3  # classes with their probabilities
EPILOG = "Exit code: 1 if a picture can't be read, 2 for a wrong command; a picture without a digit is no failure."
Row = dict[str, Any]


def main() -> None:
    """Entry point of the command line.

    Raises:
        SystemExit: 0 all pictures could be read, even if they show no digit; 1 some could not, 2 wrong usage.
    """
    parser = Parser(prog="python -m digitrec.predict", description=__doc__, epilog=EPILOG)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="file, folder, pattern, or - for standard input")
    parser.add_argument("--many", action="store_true", help="several digits on each picture, in lines")
    parser.add_argument("--checkpoint", help="run folder, .ckpt, .safetensors, .onnx; the default comes with digitrec")
    parser.add_argument(
        "--format", choices=ONE.writers, default="table", help="of what is printed (default: %(default)s)"
    )
    parser.add_argument(
        "--explain", type=Path, metavar="DIR", help="draw there what was seen of each picture, and why; of many, where"
    )
    arguments = parser.parse_args()
    end_with(lambda: _predict(arguments))


def _predict(arguments: argparse.Namespace) -> int:
    from digitrec.preprocessing.finding import find_pictures

    names = list(find_pictures(arguments.pictures))
    from digitrec.recognition.explanation import Explanations
    from digitrec.recognition.recognizer import Recognizer

    explanations = None if arguments.explain is None else Explanations(arguments.explain)
    recognizer = Recognizer(arguments.checkpoint)
    kind = MANY if arguments.many else ONE
    failed = 0

    def rows() -> Iterator[Row]:
        nonlocal failed
        for name, found in zip(names, kind.read(recognizer, names), strict=True):
            readable = kind.is_readable(found)
            failed += not readable
            if readable and explanations is not None:
                title = "standard input" if name == STANDARD_INPUT else name
                explanations.save(kind.explain(recognizer, _open(name), found, title), title)
            yield {"file": name, **kind.row(found)}

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files are bytes, not always of this encoding
    with _with_bar(rows(), len(names)) as shown:
        kind.writers[arguments.format](shown, sys.stdout)
    return int(failed > 0)


def _open(name: str) -> str | bytes:
    return _standard_input() if name == STANDARD_INPUT else name


@cache
def _standard_input() -> bytes:
    """Read once: `--explain` asks for it again. A byte more than a picture may have, so that it is known to be more."""
    from digitrec.preprocessing import picture as reading

    return sys.stdin.buffer.read(reading.CONTENT + 1)


@contextmanager
def _with_bar(rows: Iterator[Row], count: int) -> Iterator[Iterable[Row]]:
    """The same rows, with a bar below them on a terminal that tells how many are done."""
    if not sys.stderr.isatty() or count < WORTH_A_BAR:
        yield rows
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = *Progress.get_default_columns(), MofNCompleteColumn()
    console = Console(stderr=True)
    # What is printed meanwhile goes above the bar if it goes to the terminal too, else where it was sent.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        yield progress.track(rows, count, description="Reading")


def _row(reading: Reading) -> Row:
    shown = list(reading.probabilities.items())[:SHOWN] if reading.label is not None else []
    return {
        "digit": reading.label,
        "confidence": round(reading.confidence, 4),
        "others": {label: round(probability, 4) for label, probability in shown[1:]},
        "problem": reading.problem,
        "note": reading.note,
    }


def _row_of_page(page: Page) -> Row:
    lines = [
        {"text": line.text, "words": [[_row_of_digit(digit) for digit in word] for word in line.words]}
        for line in page.lines
        if line.words
    ]
    return {"text": page.text, "lines": lines, "problem": page.problem, "note": page.note}


def _row_of_digit(digit: Digit) -> Row:
    row = _row(digit.reading)
    return {**{name: row[name] for name in ("digit", "confidence", "others")}, "box": [int(side) for side in digit.box]}


def _write_table(rows: Iterable[Row], out: TextIO) -> None:
    for row in rows:
        others = "  ".join(f"{printable(label)} {probability:.1%}" for label, probability in row["others"].items())
        said = row["problem"] or f"{row['confidence']:6.1%}   {others}"
        line = f"{printable(row['digit'] or '-')}  {printable(row['file'])}  {said}{_noted(row)}"
        print(line, file=out, flush=True)


def _write_table_of_lines(rows: Iterable[Row], out: TextIO) -> None:
    """A row for each line of writing, with the digit in it that is least sure."""
    for row in rows:
        name = printable(row["file"])
        for number, line in enumerate(row["lines"], start=1):
            least = min((digit for word in line["words"] for digit in word), key=lambda digit: digit["confidence"])
            doubt = f"{printable(least['digit'])} {least['confidence']:.1%}"
            print(f"{name}:{number}  {printable(line['text'])}  least sure: {doubt}", file=out, flush=True)
        if row["problem"] or row["note"]:
            print(f"{name}  -  {row['problem'] or ''}{_noted(row)}", file=out, flush=True)


def _noted(row: Row) -> str:
    return f"   ({row['note']})" if row["note"] else ""


def _write_json(rows: Iterable[Row], out: TextIO) -> None:
    """A list, a line for each picture."""
    separator = "[\n"
    try:
        for row in rows:
            out.write(separator + json.dumps(row))
            separator = ",\n"
    finally:  # what Ctrl-C leaves is a list, too
        out.write("[]\n" if separator == "[\n" else "\n]\n")


def _write_csv(rows: Iterable[Row], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "digit", "confidence", "second", "second_confidence", "problem", "note"])
    for row in rows:
        writer.writerow([row["file"], *_cells(row), row["problem"], row["note"]])


def _write_csv_of_digits(rows: Iterable[Row], out: TextIO) -> None:
    """A row for each digit, and one for what is to be said of a picture."""
    place, said = ["file", "line", "word"], ["digit", "confidence", "second", "second_confidence"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*place, *said, "x", "y", "width", "height", "problem", "note"])
    for row in rows:
        for number, line in enumerate(row["lines"], start=1):
            for word_number, word in enumerate(line["words"], start=1):
                for digit in word:
                    writer.writerow([row["file"], number, word_number, *_cells(digit), *digit["box"], None, None])
        if row["problem"] or row["note"]:
            writer.writerow([row["file"], *[None] * 10, row["problem"], row["note"]])


def _cells(row: Row) -> list[Any]:
    second = next(iter(row["others"].items()), ("", ""))
    return [row["digit"], row["confidence"], *second]


def _explain(recognizer: Recognizer, picture: str | bytes, reading: Reading, name: str) -> Image.Image:
    from digitrec.recognition.explanation import draw_reading

    return draw_reading(picture, reading, recognizer.evidence(reading), name)


def _explain_page(_recognizer: Recognizer, picture: str | bytes, page: Page, _name: str) -> Image.Image:
    """The picture with a box around each digit, and what the network saw and read in it."""
    from digitrec.recognition.drawing import draw_page_and_seen

    return draw_page_and_seen(picture, page)


class Kind(NamedTuple):
    """What is read of pictures, and how it is put."""

    read: Callable[[Recognizer, Iterable[str]], Iterator[Any]]
    is_readable: Callable[[Any], bool]
    row: Callable[[Any], Row]
    explain: Callable[[Recognizer, str | bytes, Any, str], Image.Image]
    writers: dict[str, Callable[[Iterable[Row], TextIO], None]]


ONE = Kind(
    read=lambda recognizer, names: recognizer.read_all(map(_open, names)),
    is_readable=lambda reading: reading.image is not None,
    row=_row,
    explain=_explain,
    writers={"table": _write_table, "json": _write_json, "csv": _write_csv},
)
MANY = Kind(
    read=lambda recognizer, names: recognizer.read_pages(map(_open, names)),
    is_readable=lambda page: page.width > 0,
    row=_row_of_page,
    explain=_explain_page,
    writers={"table": _write_table_of_lines, "json": _write_json, "csv": _write_csv_of_digits},
)

if __name__ == "__main__":
    main()
