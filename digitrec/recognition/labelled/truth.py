"""What people's pictures show: by sub-folders named like the labels, or by a file of truths beside the pictures."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from digitrec.errors import DataError, UsageError
from digitrec.preprocessing.finding import find_pictures
from digitrec.system.files import read_text
from digitrec.system.wording import one_of, printable

NONE = "none"  # name of the folder of pictures without a digit
FILES = ("truth.json", "truth.csv")
JSON_FORM = 'expected {"scan.png": "1234", ...}'
CSV_FORM = "expected the columns file and text"


class Labelled(NamedTuple):
    """A picture whose digits are known.

    Attributes:
        file: its name.
        truth: a label, or the text of several lines; empty where it shows no digit.
        many: whether it is read as a page.
    """

    file: str
    truth: str
    many: bool


def find_labelled(arguments: Iterable[str], class_names: Sequence[str], many: bool) -> tuple[list[Labelled], list[str]]:
    """The pictures of folders with what they show, and those of which it is not known.

    A picture shows what truth.json or truth.csv beside it gives, else what the nearest folder is called that has the
    name of a class, or none. Pictures are pages if a text of their file of truths is no label, or with `many`.

    Raises:
        DataError: a file of truths can't be read, names a picture that is not there, or holds other than labels.
        UsageError: an argument stands for no picture, or nothing is known of any.
    """
    truths_of = cache(partial(_truths, class_names=class_names))
    labelled: dict[str, Labelled] = {}
    unknown = []
    for argument in arguments:
        for file in _pictures(argument):
            truths = truths_of(file.parent)
            truth = truths.get(file.name, _folder_name(file, Path(argument), class_names))
            if truth is None:
                unknown.append(str(file))
            else:
                is_page = file.name in truths and not {*truths.values()} <= {*class_names, ""}
                labelled[str(file)] = Labelled(str(file), truth, many or is_page)
    if not labelled:
        raise UsageError(
            f"{unknown[0]}: what it shows is not known; expected sub-folders named by label ({class_names[0]} to "
            f"{class_names[-1]}, {NONE}), or {one_of(FILES)} beside the pictures"
        )
    return list(labelled.values()), unknown


def _pictures(argument: str) -> Iterator[Path]:
    names = list(find_pictures([argument]))
    if names == [argument] and not Path(argument).is_file():
        raise UsageError(f"{argument}: no picture found there, expected a folder of pictures")
    return map(Path, names)


def _folder_name(file: Path, root: Path, class_names: Sequence[str]) -> str | None:
    """The label that a folder's name gives, from the picture's own up to the one that was given; "" for none."""
    folder, top = file.absolute().parent, root.absolute()
    for place in (folder, *folder.parents):
        if place.name in class_names or place.name == NONE:
            return "" if place.name == NONE else place.name
        if not place.is_relative_to(top) or place == top:
            break
    return None


def _truths(folder: Path, class_names: Sequence[str]) -> dict[str, str]:
    """Truths by the names of pictures in a folder."""
    files = [folder / name for name in FILES if (folder / name).is_file()]
    if not files:
        return {}
    if len(files) > 1:
        raise DataError(f"{folder} has both {FILES[0]} and {FILES[1]}, expected one of them")
    (file,) = files
    try:
        found = (_from_json if file.suffix == ".json" else _from_csv)(read_text(file).removeprefix("\ufeff"))
    except (OSError, TypeError, ValueError, RecursionError, csv.Error) as error:
        form = JSON_FORM if file.suffix == ".json" else CSV_FORM
        raise DataError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}; {form}") from error
    _check(file, found, class_names)
    return {name: "\n".join(" ".join(line.split()) for line in text.split("\n")) for name, text in found.items()}


def _from_json(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError(f"a {type(found).__name__}")
    return {name: _text(name, value) for name, value in found.items()}


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{name} has {json.dumps(value):.40}")
    return str(value)


def _from_csv(text: str) -> dict[str, str]:
    head = text.partition("\n")[0]
    rows = csv.DictReader(text.splitlines(keepends=True), delimiter="," if "," in head else ";")
    column = next((name for name in ("text", "label") if name in (rows.fieldnames or ())), None)
    if column is None or "file" not in (rows.fieldnames or ()):
        raise ValueError(f"its first line is {head.strip()[:60]!r}")
    return {row["file"]: row[column] or "" for row in rows}


def _check(file: Path, truths: Mapping[str, str], class_names: Sequence[str]) -> None:
    absent = [printable(name) for name in truths if not (file.parent / name).is_file()]
    if absent:
        more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
        raise DataError(f"{file}: {absent[0]}{more} not in its folder; correct or remove the names")
    for name, text in truths.items():
        if foreign := {*"".join(text.split())} - {*"".join(class_names)}:
            raise DataError(f"{file}: {printable(name)} has {printable(min(foreign))}, expected only labels")
