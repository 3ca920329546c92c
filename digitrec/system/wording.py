"""How errors, paths and names are put to a person."""

import difflib
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks of direction, bytes that are no text, ends of lines


def typed(command: str) -> str:
    """A command as this one was started: scripts/train, digitrec-train or python -m digitrec.train."""
    script = os.environ.get("DIGITREC_SCRIPT", "")
    if Path(script).name == command:
        return script
    return f"digitrec-{command}" if Path(sys.argv[0]).name.startswith("digitrec-") else f"python -m digitrec.{command}"


def first_line(error: BaseException) -> str:
    """The message of another library's error, without its details."""
    return str(error).partition("\n")[0]


def one_of(names: Sequence[str]) -> str:
    """At least two names as a choice: 'a, b or c'."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


def near(word: str, known: Iterable[str], prefix: str = "") -> str:
    """', did you mean x?' when one of the known words is close, in capitals or small letters, else ''."""
    by_small_letters = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), by_small_letters, n=1, cutoff=0.6)
    return f", did you mean {prefix}{by_small_letters[close[0]]}?" if close else ""


def counted(number: int, noun: str) -> str:
    """A number with what is counted: '1 image', '2,000 images', '3 classes'."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def shown(path: Path) -> Path:
    """A path as the person would type it from where the command was given."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def printable(name: str) -> str:
    """Somebody else's name for a file or a class, in one line and with nothing in it that would steer a terminal."""
    if name.isprintable():
        return name
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in STEERING else char for char in name
    )


def printable_lines(text: str) -> str:
    """The same of a text of several lines."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
