"""study.json: how a study began: command, code, versions, machine."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from digitrec.config.overrides import key_of
from digitrec.errors import DigitrecError, FolderTakenError
from digitrec.run_folder.provenance import provenance
from digitrec.run_folder.reading import read_json
from digitrec.run_folder.record import write_json

FILE = "study.json"
KINDS = {"overrides": list, "flags": list, "groups": dict, "command": str, "versions": dict}


@dataclass(frozen=True)
class StudyInfo:
    """How a study began.

    Attributes:
        overrides: of the command line, key=value.
        flags: folders of the user's own options, as flags.
        groups: the chosen option of each group, None where none or several are.
        command: the whole command line.
        git_revision: of the code.
        versions: of packages.
        host: where it began; others may have joined since.
        start: when, ISO 8601 in UTC.
    """

    overrides: Sequence[str]
    flags: Sequence[str]
    groups: Mapping[str, Any]
    command: str
    git_revision: str | None
    versions: Mapping[str, str]
    host: str
    start: str

    @classmethod
    def now(cls, overrides: Sequence[str], flags: Sequence[str], groups: Mapping[str, Any]) -> "StudyInfo":
        """Of a study that begins in this process."""
        return cls(list(overrides), list(flags), dict(groups), **provenance("optuna"))

    def fixed(self, without: Collection[str]) -> list[str]:
        """Arguments of every run: the overrides without some keys and without those of `tune`."""
        return [*self.flags, *(text for text in self.overrides if not _names(text, without))]


def write_study_info(folder: Path, info: StudyInfo) -> None:
    """Write study.json into a folder."""
    write_json(folder / FILE, asdict(info))


def read_study_info(folder: Path) -> StudyInfo | None:
    """The content of study.json; None if there is none.

    Raises:
        FolderTakenError: it can't be read.
    """
    try:
        content = read_json(folder / FILE)
    except FileNotFoundError:
        return None
    except DigitrecError as error:
        raise FolderTakenError(f"{error}; start a new search") from error
    known = isinstance(content, dict) and content.keys() == {field.name for field in fields(StudyInfo)}
    if not known or not all(isinstance(content[name], kind) for name, kind in KINDS.items()):
        raise FolderTakenError(f"{folder / FILE}: not the record of a search; start a new search")
    return StudyInfo(**content)


def _names(override: str, names: Collection[str]) -> bool:
    key = key_of(override)
    return key in names or key.startswith("tune.")
