"""JSON and yaml of run folders, which anybody may have written: bounded, finite, harmless on a terminal."""

import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML built without libyaml: seven times slower
    from yaml import SafeLoader  # type: ignore[assignment]

from digitrec.config.limits import DEPTH, TOO_DEEP, limited_loader
from digitrec.errors import DigitrecError, UsageError
from digitrec.system.files import read_text
from digitrec.system.wording import printable_lines

Note = Callable[[str], object]  # takes one line about what could not be read
NESTING = "[{-?:"  # a list or mapping begins with one of these, in JSON with one of the first two
MARKS = 5_000  # libyaml recurses without a limit, and ends the process at some 50,000
DATE = "tag:yaml.org,2002:timestamp"


class _Loader(limited_loader(SafeLoader)):  # type: ignore[misc]
    """Bounded, and dates are texts, as they are for OmegaConf, which has written them."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in found if tag != DATE]
        for first, found in SafeLoader.yaml_implicit_resolvers.items()
    }


class _NamedText(io.StringIO):
    """A text of a file, which errors name."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


@contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """Turn what reading a file raises into an error that names it; that it is missing stays FileNotFoundError.

    Raises:
        DigitrecError: it cannot be read.
    """
    try:
        yield
    except (FileNotFoundError, UsageError):  # the second names file and line
        raise
    except RecursionError as error:
        raise DigitrecError(f"{file}: cannot be read: {TOO_DEEP}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        form = "JSON" if isinstance(error, json.JSONDecodeError) else "UTF-8"
        raise DigitrecError(f"{file}: damaged (not {form})") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DigitrecError(f"{file}: cannot be read: {reason}") from error


def read_json(file: Path) -> Any:
    """Content of a JSON file; what is no finite number is None, what steers a terminal in texts is escaped.

    Raises:
        FileNotFoundError: it is missing.
        DigitrecError: it cannot be read.
    """
    with unreadable(file):
        text = read_text(file)
        return _plain(json.loads(text, parse_float=_finite, parse_constant=_finite), text)


def read_yaml(file: Path) -> Any:
    """The same of a yaml file; None if it is empty or missing."""
    with unreadable(file):
        try:
            return parse_yaml(read_text(file), file)
        except FileNotFoundError:
            return None


def parse_yaml(text: str, file: Path) -> Any:
    """Values of a yaml text from a file.

    Raises:
        UsageError: it is no yaml, or too much; the message names file and line.
    """
    if sum(map(text.count, NESTING)) > MARKS:
        raise UsageError(f"{file}: more than {MARKS:,} entries, too much for a configuration")
    return _plain(yaml.load(_NamedText(text, str(file)), _Loader), text)  # noqa: S506 - a safe one


def is_finite(value: object) -> bool:
    """Whether something is a number that a float can hold."""
    return isinstance(value, int | float) and abs(value) <= 1e300


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _plain(content: Any, text: str) -> Any:
    """The content of a text, searched only if the text could hold what is searched for."""
    harmless = "\\" not in text and text.replace("\n", "").isprintable()
    if harmless and text.count("[") + text.count("{") <= DEPTH:
        return content
    return _escaped(content, DEPTH)


def _escaped(value: Any, depth: int) -> Any:
    if not depth:
        raise ValueError(TOO_DEEP)
    match value:
        case str():
            return printable_lines(value)
        case list():
            return [_escaped(inner, depth - 1) for inner in value]
        case dict():
            return {_escaped(key, depth - 1): _escaped(inner, depth - 1) for key, inner in value.items()}
        case _:
            return value
