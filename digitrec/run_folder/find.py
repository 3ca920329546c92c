"""Find runs below folders, and one run by a part of its name."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from digitrec.config.overrides import AUTO, NO_TEXT, as_path, key_of, spelled_path, value_of
from digitrec.errors import UsageError
from digitrec.run_folder.reading import Note
from digitrec.run_folder.record import RECORD, read_record
from digitrec.run_folder.run import TRAINING, Run, read_run, try_run
from digitrec.system.wording import near, printable
from digitrec.weights import BY_NAME

STAMP = re.compile(r"\d{4}-\d{2}-\d{2}_\d{2}-\d{2}-\d{2}_(?=.)")
DEFAULT = Path("outputs")
DEPTH = 50  # folders in each other that are searched
NAMING = ("checkpoint", "against", "resume", "rerun", "init_from")  # settings that may name a run


def find_runs(roots: Sequence[Path], note: Note, kind: str = TRAINING) -> list[Run]:
    """Every run of one kind below some folders, the oldest first, with names.

    Args:
        roots: searched DEPTH folders deep; links to folders and hidden folders are not followed.
        note: gets a line for each folder that cannot be read, and for each one between runs that is no run.
        kind: training, evaluation or other.

    Raises:
        UsageError: a folder other than the default one, outputs/, is missing.
    """
    found = [run for run in _below(roots, note).values() if run is not None and run.kind == kind]
    return _named(sorted(found, key=lambda run: run.start))


def _below(roots: Sequence[Path], note: Note) -> dict[Path, Run | None]:
    """Every run folder below some folders, and its run; None for one that can't be read."""
    folders: dict[Path, Path] = {}
    for root in roots:
        if not root.is_dir():
            if root == DEFAULT:
                continue
            raise UsageError(f"{root}: no such folder; expected one with runs below it, such as {DEFAULT}")
        folders |= {folder.resolve(): folder for folder in _search(root, note)}
    return {folder: try_run(folder, note) for folder in folders.values()}


def pick_run(text: str, runs: Sequence[Run], note: Note) -> Run:
    """The run of a path, a name, or a part of either that no other run has.

    Raises:
        UsageError: there is none, or more than one.
        DigitrecError: it is a path to a run whose record can't be read.
    """
    path = Path(text)
    if (path / RECORD).is_file():
        known = [run for run in runs if run.folder.resolve() == path.resolve()]
        return known[0] if known else replace(read_run(path, note), name=path.resolve().name)
    exact = [run for run in runs if text in (run.name, run.folder.name)]
    fitting = exact or [run for run in runs if text in f"{run.name} {run.folder}"]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        names = [run.name for run in runs]
        hint = near(text, names) or f"; there are {_some(names)}" if names else "; there are no runs"
        raise UsageError(f"{text}: no such run{hint}")
    raise UsageError(
        f"{text}: {len(fitting)} runs have this in their name: {_some([str(run.folder) for run in fitting])}"
    )


def run_path(text: str) -> str:
    """The folder below outputs/ of the run that a name, or a part of one, is of; the text itself where it is of none.

    A path that exists is one; another text with a slash has to be a whole name, as of a sweep's job.

    Raises:
        UsageError: several runs have it in their names.
    """
    path = Path(text)
    if text in BY_NAME or path.is_absolute() or path.exists():
        return text
    found = _below([DEFAULT], lambda _: None)
    runs = _named([run for run in found.values() if run is not None and run.kind == TRAINING])
    if not any(_is_named(run, text) for run in runs):  # one that can't be read is named, too, by what then reads it
        runs = [Run(folder, "", name=folder.name) for folder, run in found.items() if run is None]
    if not any(_is_named(run, text) for run in runs):
        return text
    return str(pick_run(text, runs, lambda _: None).folder)


def _is_named(run: Run, text: str) -> bool:
    return text == run.name or ("/" not in text and text in run.name)


def with_run_paths(override: str) -> str:
    """An override with the paths of runs that it names, which may look like numbers; any other as it is."""
    key, text = key_of(override), value_of(override)
    if not text or key not in NAMING or text in (AUTO, "null"):
        return override
    inner = text.removeprefix("[").removesuffix("]")
    paths = ",".join(
        part if (path := run_path(part)) == part and not NO_TEXT.fullmatch(part) else spelled_path(Path(path))
        for part in inner.split(",")
    )
    head = override.partition("=")[0]
    return override if paths == inner else f"{head}={text.replace(inner, paths)}"


def check_run_folder(option: str, folder: str) -> None:
    """Raise UsageError if the folder that `resume` or `rerun` names holds no run, DigitrecError if it is damaged."""
    place = as_path(folder)
    if not (place / RECORD).is_file():
        hint = f"; did you mean {place.parent.parent}?" if place.suffix == ".ckpt" else ""
        raise UsageError(f"{option}={place}: no run in this folder; expected one such as outputs/train/...{hint}")
    read_record(place)


def _search(folder: Path, note: Note, depth: int = DEPTH) -> list[Path]:
    """Run folders at or below a folder; nothing is looked for below a run."""
    if not depth:
        note(f"{folder}: folders in each other more than {DEPTH} deep; not searched")
        return []
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        note(f"{folder}: cannot be read: {error.strerror}")
        return []
    if any(entry.name == RECORD for entry in entries):
        return [folder]
    inner = [entry for entry in entries if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
    below = {path: _search(path, note, depth - 1) for path in (folder / entry.name for entry in inner)}
    if any(found == [path] for path, found in below.items()):  # a folder of runs
        for path in (path for path, found in below.items() if not found and _holds_files(path)):
            note(f"{path}: no {RECORD} in it, so this is no run")
    return [path for found in below.values() for path in found]


def _holds_files(folder: Path) -> bool:
    with suppress(OSError), os.scandir(folder) as listed:
        return any(entry.is_file() or entry.name.startswith(".") for entry in listed)
    return False  # _search has noted that it cannot be read


def _named(runs: Sequence[Run]) -> list[Run]:
    """The same runs, each with the shortest of its names that it shares with no other run."""
    names = [_names(run.folder) for run in runs]
    taken = Counter(name for own in names for name in set(own))
    return [
        replace(run, name=next((name for name in own if taken[name] == 1), own[-1]))
        for run, own in zip(runs, names, strict=True)
    ]


def _names(folder: Path) -> list[str]:
    """What a run folder may be called, the shortest first."""
    parent = folder.resolve().parent.name
    return list(map(printable, [STAMP.sub("", folder.name), folder.name, f"{parent}/{folder.name}", str(folder)]))


def _some(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
