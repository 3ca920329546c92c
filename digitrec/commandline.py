"""Words of a command line, told apart before Hydra reads them."""

import re
from collections.abc import Sequence
from pathlib import Path

SWEEP = {"-m", "--multirun"}
AUTO = "auto"  # resume: whichever run has the same settings
NOTEBOOK = ("tags", "note")  # what a person says about a run; it changes nothing in it
PLACE = "hydra.run.dir"
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)


def key(word: str) -> str:
    """The name that a word sets."""
    return word.partition("=")[0].lstrip("+")


def is_override(word: str) -> bool:
    """Whether a word is `key=value` or `~key`, no flag."""
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def value(words: Sequence[str], name: str) -> str | None:
    """What the words set a name to, the last one deciding; None if none does or it is set to null."""
    found = next((word.partition("=")[2] for word in reversed(words) if key(word) == name and "=" in word), "null")
    return None if found == "null" else found


def is_sweep(words: Sequence[str]) -> bool:
    """Whether Hydra is asked for several jobs."""
    return bool(SWEEP & set(words)) or value(words, "hydra.mode") == "MULTIRUN"


def as_path(text: str) -> Path:
    """The path that a value means, with quotes around it or without."""
    return Path(text.strip("'\""))


def spelled_path(path: Path) -> str:
    """A path as an override takes it, in quotes where it needs some."""
    text = str(path)
    if re.fullmatch(r"[\w./-]+", text, re.ASCII):
        return text
    return f'"{text}"' if "'" in text else f"'{text}'"


def names_same(override: str, folder: str) -> bool:
    """Whether an override gives this very folder, as Lightning does when it starts further processes."""
    return as_path(override.partition("=")[2]).resolve() == as_path(folder).resolve()


def quote_note(word: str) -> str:
    """The word, or for `note=any, text` one that Hydra reads as that text rather than as a sweep or a mapping."""
    name, sign, text = word.partition("=")
    if key(word) != "note" or not sign or text == "null" or QUOTED.fullmatch(text):
        return word
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # for OmegaConf, which resolves interpolations
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (found[2] and "\\'"), literal)  # for Hydra's parser
    return f"{name}='{escaped}'"
