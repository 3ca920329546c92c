"""The commands with a line each: python -m digitrec."""

import argparse
import ast
from functools import partial
from pathlib import Path

from digitrec.system.terminal import Parser, end_with

COMMANDS = ("train", "evaluate", "calibrate", "predict", "app", "runs", "tune", "export", "preview")


def main() -> None:
    """Entry point of the command line."""
    parser = Parser(prog="python -m digitrec", description=__doc__)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    if words := parser.parse_known_args()[0].words:
        known = (
            f"python -m digitrec.{words[0]}" if words[0] in COMMANDS else "python -m digitrec, which lists the commands"
        )
        parser.error(f"{words[0]} is no argument of python -m digitrec; type {known}")
    end_with(partial(print, "\n".join([*map(_line, COMMANDS), "Each takes --help and --version."])))


def _line(command: str) -> str:
    """The first line of its module; read, not imported: torch takes seconds."""
    place = Path(__file__).with_name(command)
    file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    summary = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    return f"python -m digitrec.{command:9} {summary.partition(': python')[0].rstrip('.')}"


if __name__ == "__main__":
    main()
