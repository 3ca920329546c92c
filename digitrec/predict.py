"""Read digits on pictures: python -m digitrec.predict photo.png scans/*.jpg."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from digitrec.errors import DigitrecError

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong argument shall not wait for it
    from digitrec.inference.recognizer import Reading

SUFFIXES = {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
STANDARD_INPUT = "-"
SHOWN = 3  # classes with their probabilities
Row = dict[str, Any]


def main() -> None:
    """Entry point of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m digitrec.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="file, folder, pattern, or - for standard input")
    parser.add_argument("--checkpoint", help="run folder, .ckpt, .safetensors, .onnx; the default comes with digitrec")
    parser.add_argument("--format", choices=WRITERS, default="table", help="of what is printed (default: %(default)s)")
    parser.add_argument("--explain", type=Path, metavar="DIR", help="write what the network saw of each picture there")
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
    readings = recognizer.read_all(sys.stdin.buffer.read() if name == STANDARD_INPUT else name for name in names)
    failed = 0

    def rows() -> Iterator[Row]:
        nonlocal failed
        for name, reading in zip(_progress(names), readings, strict=True):
            failed += reading.image is None
            if arguments.explain is not None:
                _explain(reading, arguments.explain, name)
            yield _row(name, reading)

    WRITERS[arguments.format](rows(), sys.stdout)
    return int(failed > 0)


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


def _progress(names: list[str]) -> Iterable[str]:
    if not sys.stderr.isatty() or len(names) < 100:
        return names
    from rich.console import Console
    from rich.progress import track

    return track(names, "Reading", console=Console(stderr=True), transient=True)


def _row(name: str, reading: Reading) -> Row:
    shown = list(reading.probabilities.items())[:SHOWN] if reading.label is not None else []
    return {
        "file": name,
        "digit": reading.label,
        "confidence": round(reading.confidence, 4),
        "others": {label: round(probability, 4) for label, probability in shown[1:]},
        "problem": reading.problem,
    }


def _write_table(rows: Iterable[Row], out: TextIO) -> None:
    for row in rows:
        others = "  ".join(f"{label} {probability:.1%}" for label, probability in row["others"].items())
        said = row["problem"] or f"{row['confidence']:6.1%}   {others}"
        print(f"{row['digit'] or '-'}  {row['file']}  {said}", file=out, flush=True)


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
        second = next(iter(row["others"].items()), ("", ""))
        writer.writerow([row["file"], row["digit"], row["confidence"], *second, row["problem"]])


def _explain(reading: Reading, folder: Path, name: str) -> None:
    """Write the 28x28 image that the network saw, enlarged tenfold."""
    from PIL import Image

    if reading.image is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    seen = Image.fromarray(reading.image).resize((280, 280), Image.Resampling.NEAREST)
    seen.save(folder / f"{Path(name).name}_{reading.label or 'none'}.png")


WRITERS: dict[str, Callable[[Iterable[Row], TextIO], None]] = {
    "table": _write_table,
    "json": _write_json,
    "csv": _write_csv,
}

if __name__ == "__main__":
    main()
