"""Where commands meet a terminal: how they end, output that outlives its reader, plain characters.

`python -m digitrec.train | head` sees the first lines, and training goes on.
"""

import argparse
import codecs
import errno
import io
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TextIO

from digitrec.errors import DigitrecError, UsageError
from digitrec.system.wording import printable_lines

GONE = {errno.EPIPE, errno.EIO}  # the reader of a pipe, and the terminal of one who has closed its window
OUTSIDE = {  # not our doing: disks, permissions, and paths that no system takes
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP),
}
TRACEBACK = "DIGITREC_TRACEBACK"  # environment variable: 1 shows where a person's error was raised, too
DONE, FAILED, USAGE, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141
EMPTY_ARGUMENT = "an argument is empty; is a shell variable not set?"
PLAIN = "plain-characters"  # name of an error handler of encodings
SUBSTITUTES = dict(zip("─━│┃\N{MINUS SIGN}\N{EN DASH}—•▁▂▃▄▅▆▇█", "--||---*_.,-~=+#", strict=True)) | {"±": "+-"}


def answer_version(arguments: Sequence[str]) -> None:
    """With --version among the arguments print our version, and those of what trains, and end."""
    if "--version" in arguments:
        print(", ".join(f"{name} {version(name)}" for name in ("digitrec", "torch", "lightning")))  # noqa: T201
        sys.exit(DONE)


HOME = re.compile(r"""(^|[=,\[{:'"])~(?=$|[/\\,\]}'"])""")


def expand_home(word: str) -> str:
    """The word with the person's home folder for each `~` that begins a path: shells do so only for some words."""
    return HOME.sub(lambda found: f"{found[1]}{Path.home()}", word)


def folder(text: str) -> Path:
    """The folder of an argument, which may be absent; an error where a file is in its way."""
    path = Path(text)
    for place in (path, *path.parents):
        if os.path.exists(place) and not os.path.isdir(place):  # noqa: PTH110, PTH112 - no error for impossible names
            raise argparse.ArgumentTypeError(f"{place} is a file, expected a folder")
    return path


class Parser(argparse.ArgumentParser):
    """A parser with errors of one line, in characters that the terminal has, and with `~` expanded."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        use_plain_characters()  # --help comes before all else

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Called for a command, and for each command in it."""
        words = sys.argv[1:] if args is None else args
        answer_version(words)
        if any(word == "" or (word.startswith("--") and word.endswith("=")) for word in words):
            self.error(EMPTY_ARGUMENT)
        return super().parse_known_args([expand_home(word) for word in words], namespace)

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(USAGE, f"error: {message}; see {self.prog} --help\n")


def end_with(work: Callable[[], int | None]) -> NoReturn:
    """Run a command, and end with the exit code that it returns, None for 0, or that of `exit_codes`."""
    with exit_codes():
        code = work()
    sys.exit(code or DONE)


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the program where a command raises an error; one that a person can mend is a line or two.

    Raises:
        SystemExit: 1 failed, 2 wrong usage, 130 interrupted, 141 nobody reads on.
    """
    code = DONE
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's end is quiet
        code = UNREAD
    except Exception as error:
        code = USAGE if isinstance(error, UsageError) else FAILED
        message = _message(error)
        if message is None or os.environ.get(TRACEBACK, "0") not in ("", "0"):
            traceback.print_exception(error)
        else:
            print(f"error: {printable_lines(message)}", file=sys.stderr)  # noqa: T201
    if code != DONE:
        sys.exit(code)


def _message(error: Exception) -> str | None:
    """An error in words; None for a fault of ours, which needs its traceback."""
    if isinstance(error, OSError) and error.errno in OUTSIDE:
        return ": ".join(str(word) for word in (error.filename, error.strerror) if word)
    return str(error) if isinstance(error, DigitrecError) else None


def use_plain_characters() -> None:
    """Write what the terminal's encoding lacks in plain characters, and file names that are not UTF-8 as they are."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    char = error.object[error.start]
    if "\udc80" <= char <= "\udcff":
        return bytes([ord(char) - 0xDC00]), error.start + 1
    close = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return SUBSTITUTES.get(char) or close or char.encode("ascii", "backslashreplace").decode(), error.start + 1


codecs.register_error(PLAIN, _plain)


class PipeSafeStream(io.TextIOWrapper):
    """Text for a reader who may go away; what is written after that is dropped."""

    def write(self, text: str) -> int:
        """Write as any text stream does."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush as any text stream does."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # for what C libraries and processes started later print, too
        os.close(nowhere)


class NamedLines(io.TextIOBase):
    """Text of one of several jobs on one stream: whole lines, each behind the job's name; no terminal, so no bars."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name, self._begun = stream, name, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    def fileno(self) -> int:
        """That of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        *lines, self._begun = (self._begun + text).split("\n")
        named = [f"{self._name}  {line.removeprefix(f'{self._name}: ')}".rstrip() for line in lines if line]
        self._stream.write("".join(f"{line}\n" for line in named))
        return len(text)

    def flush(self) -> None:
        """Flush the stream; a line begun waits for its end."""
        self._stream.flush()


def ignore_broken_pipes() -> None:
    """Let standard output and error be of no more account than their readers; streams put in their place stay."""
    use_plain_characters()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            stream.flush()
            plain = open(stream.fileno(), "wb", closefd=False)  # noqa: SIM115 - as long as the process
            lasting = PipeSafeStream(plain, stream.encoding, PLAIN, line_buffering=stream.line_buffering)
            setattr(sys, name, lasting)
