"""Read digits on pictures: python -m digitrec.predict photo.png scans/*.jpg, with --many several on each."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from digitrec.errors import DigitrecError

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong argument shall not wait for it
    from digitrec.inference.page import Digit, Page
    from digitrec.inference.recognizer import Reading, Recognizer

SUFFIXES = {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
STANDARD_INPUT = "-"
SHOWN = 3  # classes with their probabilities
MANY_FILES = 100  # that one wants to see the end of
Row = dict[str, Any]


def main() -> None:
    """Entry point of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m digitrec.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="file, folder, pattern, or - for standard input")
    parser.add_argument("--many", action="store_true", help="several digits on each picture, in lines")
    parser.add_argument("--checkpoint", help="run folder, .ckpt, .safetensors, .onnx; the default comes with digitrec")
    parser.add_argument(
        "--format", choices=ONE.writers, default="table", help="of what is printed (default: %(default)s)"
    )
    parser.add_argument("--explain", type=Path, metavar="DIR", help="write there what was seen of each picture")
    arguments = parser.parse_args()
    try:
        sys.exit(_predict(arguments))
    except DigitrecError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        sys.exit(141)


def _predict(arguments: argparse.Namespace) -> int:
    names = list(_expand(arguments.pictures))
    from digitrec.inference.recognizer import Recognizer

    recognizer = Recognizer(arguments.checkpoint)
    kind = MANY if arguments.many else ONE
    failed = 0

    def rows() -> Iterator[Row]:
        nonlocal failed
        for name, found in zip(told, kind.read(recognizer, names), strict=True):
            readable = kind.is_readable(found)
            failed += not readable
            if readable and arguments.explain is not None:
                arguments.explain.mkdir(parents=True, exist_ok=True)
                kind.explain(found, arguments.explain, name)
            yield {"file": name, **kind.row(found)}

    with _progress(names) as told:
        kind.writers[arguments.format](rows(), sys.stdout)
    return int(failed > 0)


def _open(name: str) -> str | bytes:
    return _standard_input() if name == STANDARD_INPUT else name


@cache
def _standard_input() -> bytes:
    """Read once: `--explain` asks for it again."""
    return sys.stdin.buffer.read()


def _expand(pictures: Sequence[str]) -> Iterator[str]:
    """Names of files: those of a folder and its sub-folders, and what fits a pattern that the shell left alone."""
    for given in pictures:
        path = Path(given)
        if given == STANDARD_INPUT or path.is_file():
            yield given
        elif path.is_dir():
            yield from (str(file) for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES)
        else:
            pattern = path.relative_to(path.anchor)
            yield from sorted(map(str, Path(path.anchor).glob(str(pattern)))) or [given]


@contextmanager
def _progress(names: list[str]) -> Iterator[Iterable[str]]:
    """The names; many of them move a bar on the terminal, above which stands what is printed there meanwhile."""
    if not sys.stderr.isatty() or len(names) < MANY_FILES:
        yield names
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = *Progress.get_default_columns(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        yield progress.track(names, description="Reading")


def _row(reading: Reading) -> Row:
    shown = list(reading.probabilities.items())[:SHOWN] if reading.label is not None else []
    return {
        "digit": reading.label,
        "confidence": round(reading.confidence, 4),
        "others": {label: round(probability, 4) for label, probability in shown[1:]},
        "problem": reading.problem,
    }


def _row_of_page(page: Page) -> Row:
    lines = [
        {"text": line.text, "words": [[_row_of_digit(digit) for digit in word] for word in line.words]}
        for line in page.lines
        if line.words
    ]
    return {"text": page.text, "lines": lines, "problem": page.problem}


def _row_of_digit(digit: Digit) -> Row:
    row = _row(digit.reading)
    del row["problem"]
    return {**row, "box": [int(side) for side in digit.box]}


def _write_table(rows: Iterable[Row], out: TextIO) -> None:
    for row in rows:
        others = "  ".join(f"{label} {probability:.1%}" for label, probability in row["others"].items())
        said = row["problem"] or f"{row['confidence']:6.1%}   {others}"
        print(f"{row['digit'] or '-'}  {row['file']}  {said}", file=out, flush=True)


def _write_table_of_lines(rows: Iterable[Row], out: TextIO) -> None:
    """A row for each line of writing, with the digit in it that is least sure."""
    for row in rows:
        for number, line in enumerate(row["lines"], start=1):
            least = min((digit for word in line["words"] for digit in word), key=lambda digit: digit["confidence"])
            doubt = f"{least['digit']} {least['confidence']:.1%}"
            print(f"{row['file']}:{number}  {line['text']}  least sure: {doubt}", file=out, flush=True)
        if row["problem"]:
            print(f"{row['file']}  -  {row['problem']}", file=out, flush=True)


def _write_json(rows: Iterable[Row], out: TextIO) -> None:
    separator = "[\n"
    for row in rows:
        out.write(separator + json.dumps(row))
        separator = ",\n"
    out.write("\n]\n")


def _write_csv(rows: Iterable[Row], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "digit", "confidence", "second", "second_confidence", "problem"])
    for row in rows:
        writer.writerow([row["file"], *_cells(row), row["problem"]])


def _write_csv_of_digits(rows: Iterable[Row], out: TextIO) -> None:
    """A row for each digit, and one for each picture without any."""
    place, said = ["file", "line", "word"], ["digit", "confidence", "second", "second_confidence"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*place, *said, "x", "y", "width", "height", "problem"])
    for row in rows:
        for number, line in enumerate(row["lines"], start=1):
            for word_number, word in enumerate(line["words"], start=1):
                for digit in word:
                    writer.writerow([row["file"], number, word_number, *_cells(digit), *digit["box"], None])
        if row["problem"]:
            writer.writerow([row["file"], *[None] * 10, row["problem"]])


def _cells(row: Row) -> list[Any]:
    second = next(iter(row["others"].items()), ("", ""))
    return [row["digit"], row["confidence"], *second]


def _explain(reading: Reading, folder: Path, name: str) -> None:
    """Write the 28x28 image that the network saw, enlarged tenfold."""
    from PIL import Image

    assert reading.image is not None
    seen = Image.fromarray(reading.image).resize((280, 280), Image.Resampling.NEAREST)
    seen.save(folder / f"{Path(name).name}_{reading.label or 'none'}.png")


def _explain_page(page: Page, folder: Path, name: str) -> None:
    """Write the picture with a box around each digit, and what it was read as."""
    from digitrec.inference.drawing import draw_page

    draw_page(_open(name), page).save(folder / f"{Path(name).name}_boxes.png")


class Kind(NamedTuple):
    """What is read of pictures, and how it is put."""

    read: Callable[[Recognizer, Iterable[str]], Iterator[Any]]
    is_readable: Callable[[Any], bool]
    row: Callable[[Any], Row]
    explain: Callable[[Any, Path, str], None]
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
