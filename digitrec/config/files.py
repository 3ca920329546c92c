"""How a file of settings has to be written: its encoding, and the line that names where its settings belong."""

import codecs
import re
from pathlib import Path

from digitrec.errors import UsageError

WHOLE = ("experiment", "debug")  # groups whose options set keys of the whole configuration
NEEDED = ("", "model", "optimizer", "scheduler", "data", "trainer")  # whose options set something; '' is a primary one
SETTING = re.compile(r"^\s*[^#\s]", re.MULTILINE)
HEADER = re.compile(r"\s*#\s*@package\s+\S+\s*")
LONGEST_HEADER = 512  # characters in which Hydra looks for it


def check_file(group: str, file: Path) -> None:
    """UsageError for a file not in UTF-8, without settings, or without the line that makes them those of the whole."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        line = content.count(b"\n", 0, error.start) + 1
        encoding = "in UTF-16" if wide else "not in UTF-8, but perhaps in Latin-1"
        raise UsageError(f"{file}:{line}: the file is {encoding}; save it as UTF-8") from None
    if group in NEEDED and not SETTING.search(text):
        raise UsageError(f"{file}: there are no settings in it; restore it, or choose another")
    if group in WHOLE and not header_lines(text[:LONGEST_HEADER]):
        raise UsageError(f"{file}: the line '# @package _global_' is missing; put it at the beginning")


def header_lines(text: str) -> str:
    """Those lines of a file's beginning that name where its settings belong, without what editors put before them."""
    return "\n".join(line for line in text.removeprefix("\ufeff").splitlines() if HEADER.fullmatch(line))
