"""Words of a command line, parsed before Hydra reads them."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

from digitrec.system import terminal

SWEEP = {"-m", "--multirun"}
AUTO = "auto"  # resume: whichever run has the same settings
ANNOTATIONS = ("tags", "note")  # a person's remarks on a run; they change nothing in it
PLACE = "hydra.run.dir"
SEARCH_PATH = "hydra.searchpath"
NO_TEXT = re.compile(r"[+-]?[\d_.]+(e[+-]?\d+)?|[+-]?(inf|nan)|true|false", re.IGNORECASE)  # as Hydra reads them bare
TARGET = "._target_"
SINGLE = ("model", "optimizer", "scheduler")  # groups whose option is one node, which a person may bring
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)


def key_of(word: str) -> str:
    """The name that an override sets, adds or takes out: `lr` of `lr=1`, `+lr=1`, `~lr` and `lr@package=1`."""
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def is_override(word: str) -> bool:
    """Whether a word is `key=value` or `~key`, no flag."""
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def value_of(word: str) -> str:
    """What an override sets its name to, as written; empty if it only takes it out."""
    return word.partition("=")[2]


def overrides_except(words: Sequence[str], allowed: Collection[str]) -> list[str]:
    """Those overrides among the words that do anything but set one of the allowed names."""
    return [word for word in words if is_override(word) and not (_sets(word) and key_of(word) in allowed)]


def value(words: Sequence[str], name: str) -> str | None:
    """What the words set a name to, the last one deciding; None if none does or it is set to null."""
    found = next((value_of(word) for word in reversed(words) if _sets(word) and key_of(word) == name), "null")
    return None if found == "null" else found


def is_sweep(words: Sequence[str]) -> bool:
    """Whether Hydra is asked for several jobs."""
    return bool(SWEEP & set(words)) or value(words, "hydra.mode") == "MULTIRUN"


def start_anew(words: Sequence[str]) -> list[str]:
    """The words, so that a `_target_` brings none of the arguments of the option before it, and its own need no `+`."""
    nodes = [key_of(word).removesuffix(TARGET) for word in words if _sets(word) and key_of(word).endswith(TARGET)]
    chosen = {key_of(word) for word in words if is_override(word)}
    anew = [
        f"++{word.lstrip('+')}"
        if _sets(word) and key_of(word).startswith(tuple(f"{node}." for node in nodes))
        else word
        for word in words
    ]
    place = next((index for index, word in enumerate(anew) if is_override(word)), 0)
    return [*anew[:place], *(f"~{node}" for node in nodes if node in SINGLE and node not in chosen), *anew[place:]]


def expand_home(word: str) -> str:
    """The word with the person's home folder for each `~` that begins a path, except in remarks on a run."""
    return word if key_of(word) in ANNOTATIONS else terminal.expand_home(word)


def as_path(text: str) -> Path:
    """The path that a value means, with quotes around it or without."""
    return Path(text.strip("'\"")).expanduser()


def spelled_path(path: Path) -> str:
    """A path as an override takes it, in quotes where it needs some."""
    text = str(path)
    if re.fullmatch(r"[\w./-]+", text, re.ASCII) and not NO_TEXT.fullmatch(text):
        return text
    return f'"{text}"' if "'" in text else f"'{text}'"


def parts_of(extend: int | Sequence[int] | None) -> list[int]:
    """Epochs of each part that `extend` adds to a training."""
    return [extend] if isinstance(extend, int) else list(extend or ())


def names_same(override: str, folder: str) -> bool:
    """Whether an override gives this very folder, as Lightning does when it starts further processes."""
    return as_path(value_of(override)).resolve() == as_path(folder).resolve()


def quote_note(word: str) -> str:
    """The word, or for `note=any, text` one that Hydra reads as that text rather than as a sweep or a mapping."""
    name, sign, text = word.partition("=")
    if key_of(word) != "note" or not sign or text == "null" or QUOTED.fullmatch(text):
        return word
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # for OmegaConf, which resolves interpolations
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (found[2] and "\\'"), literal)  # for Hydra's parser
    return f"{name}='{escaped}'"


def search_path(overrides: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """What stands for `--config-dir`, which only Hydra's own command line has, beside a search path that is given."""
    folders = [f"'{as_path(folder).resolve()}'" for folder in _config_folders(arguments)]
    given = (value(overrides, SEARCH_PATH) or "").strip().removeprefix("[").removesuffix("]")
    return [f"{SEARCH_PATH}=[{','.join(filter(None, [*folders, given]))}]"] if folders else []


def _config_folders(arguments: Sequence[str]) -> list[str]:
    """Folders given as `--config-dir F`, `--config-dir=F`, `-cd F` or `-cd=F`."""
    pairs = ((*argument.partition("="), following) for argument, following in pairwise([*arguments, ""]))
    return [inline or following for flag, _, inline, following in pairs if flag in ("--config-dir", "-cd")]


def _sets(word: str) -> bool:
    return "=" in word and not word.startswith("~")
