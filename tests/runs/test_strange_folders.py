"""One strange run folder is noted, and the others are listed."""

import io
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitrec.run_folder.epochs import read_epochs
from digitrec.runs.__main__ import main
from tests.command import Command
from tests.made_runs import make_run

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11))
RECORD = '{"status": "finished", "start": "2026-01-01T00:00:00+00:00"'
TEXTS = {
    "alias bomb": (".hydra/config.yaml", BOMB),
    "contains itself": (".hydra/config.yaml", "a: &a [*a]\n"),
    "deep lists": (".hydra/config.yaml", "a: " + 100_000 * "["),
    "deep mappings": (".hydra/config.yaml", "? " * 4_000),
    "no date": (".hydra/config.yaml", "note: !!timestamp 2026-13-01\n"),
    "bad overrides": (".hydra/overrides.yaml", "{a: b}"),
    "no UTF-8": ("run.json", '{"status": "\udcff"}'),
    "deep record": ("run.json", RECORD + ', "settings": {"a": ' + 900 * "[" + 900 * "]" + "}}"),
    "metrics of nonsense": ("metrics.json", "[1, 2]"),
}
FILES = ("run.json", "metrics.json", ".run.lock", ".hydra/config.yaml")
KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": Path.mkdir,
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Two runs of version 0.2 and 0.1 and an unfinished one of 0.1, whose files a test makes strange."""
    make_run(tmp_path / "good", metrics={"val/accuracy": 0.9})
    make_run(tmp_path / "fair", metrics={"val/accuracy": 0.8}, old=True)
    return make_run(tmp_path / "strange", status="running", metrics={}, old=True)


def check_others(run_runs: Command, folder: Path, file: str) -> None:
    for command in (["list"], ["list", "--group", "--json"], ["best"], ["prune", "--keep-best", "1"]):
        outcome = run_runs(*command, str(folder))
        assert outcome.code == 0, outcome
        assert f"strange/{file}: " in outcome.err.replace(":2: ", ": ").replace(":1: ", ": ")
        assert outcome.err.count("\n") <= 2
    assert {"good", "fair"} <= {run["name"] for run in json.loads(run_runs("list", "--json", str(folder)).out)}
    assert run_runs("show", "fair", "--in", str(folder)).code == 0


@pytest.mark.parametrize("case", TEXTS)
def test_a_strange_text_is_noted_and_the_others_are_listed(case: str, good: Path, run_runs: Command) -> None:
    file, text = TEXTS[case]
    (good / file).write_text(text, encoding="utf-8", errors="surrogateescape")
    if "overrides" in file:
        (good / ".hydra" / "config.yaml").unlink()
    check_others(run_runs, good.parent, file)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as files are POSIX'")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", FILES)
def test_what_is_no_file_is_noted_and_the_others_are_listed(
    kind: str, file: str, good: Path, run_runs: Command
) -> None:
    (good / file).unlink(missing_ok=True)
    KINDS[kind](good / file)
    check_others(run_runs, good.parent, file)


def test_entries_of_another_kind_end_no_command(run_runs: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "good", metrics={"val/accuracy": 0.9})
    for number, extend in enumerate((["a"], 1.5, "x")):
        make_run(tmp_path / f"extended-{number}", status="running", record={"checkpoints": 5}, extend=extend)
    listed = make_run(tmp_path / "listed", metrics={"val/accuracy": 0.8}, old=True)
    (listed / ".hydra" / "hydra.yaml").write_text("hydra:\n  runtime:\n    choices:\n      - model\n")
    for command in (["list"], ["list", "--group"], ["best"]):
        assert run_runs(*command, str(tmp_path)).code == 0
    assert run_runs("compare", "good", "listed", "--in", str(tmp_path)).code in (0, 1)


@pytest.mark.parametrize("nonsense", [b"\xff" * 9, b"\x0a\x05ab"])
def test_events_of_nonsense_are_noted(nonsense: bytes, tmp_path: Path) -> None:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c

    def masked(data: bytes) -> bytes:
        check = crc32c(data)
        return struct.pack("<I", ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(nonsense))
    file = tmp_path / "events.out.tfevents.1"
    file.write_bytes(length + masked(length) + nonsense + masked(nonsense))
    notes: list[str] = []
    assert read_epochs(tmp_path, notes.append) == []
    assert notes[0].startswith(f"{file}: cannot be read to its end: ")


ESCAPE = "\x1b]0;owned\x07\x9b31m\u202e"


class Terminal(io.TextIOWrapper):
    """Standard output of a terminal with some encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def in_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Command line -> what both streams show in a terminal of an encoding."""

    def run(*arguments: str, encoding: str = "utf-8") -> str:
        out, err = Terminal(encoding), Terminal(encoding)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        monkeypatch.setattr(sys, "argv", ["digitrec.runs", *arguments])
        monkeypatch.setenv("TERM", "dumb")  # no styles of ours
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 0, err.text
        return out.text + err.text

    return run


COMMANDS = (
    ["list"], ["list", "--csv"], ["list", "--json"], ["list", "--group"], ["list", "--group", "--csv"], ["best"],
    ["best", "--print-path"], ["prune", "--where", "status!=x"], ["show", "odd"], ["show", "odd", "--csv"],
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_text_of_a_run_steers_the_terminal(
    command: list[str], tmp_path: Path, in_terminal: Callable[..., str]
) -> None:
    told = {"tags": [ESCAPE], "note": ESCAPE, "error": ESCAPE, "status": ESCAPE, "device_name": ESCAPE, ESCAPE: 1}
    settings = {"seed": 1, "optimizer.lr": ESCAPE, f"optimizer.{ESCAPE}": 2}
    record = told | {"settings": settings, "overrides": [ESCAPE]}
    make_run(tmp_path / f"odd{ESCAPE}", metrics={"val/accuracy": 0.5, f"test/{ESCAPE}": 1}, record=record)
    make_run(tmp_path / "another", metrics={"val/accuracy": 0.25})
    (tmp_path / f"no{ESCAPE}").mkdir()
    (tmp_path / f"no{ESCAPE}" / "run.json").touch()
    place = f"--in={tmp_path}" if "show" in command else str(tmp_path)
    shown = in_terminal(command[0], place, *command[1:])
    assert not {char for char in shown if not char.isprintable()} - {"\n"}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding_shows_every_table(
    encoding: str, tmp_path: Path, in_terminal: Callable[..., str]
) -> None:
    for seed in (1, 2):
        make_run(tmp_path / f"\u65e5é{seed}", metrics={"val/accuracy": seed / 4}, seed=seed)
    make_run(tmp_path / os.fsdecode(b"\xff"), status="failed", optimizer__lr=0.5)
    shown = {" ".join(command): in_terminal(*command, str(tmp_path), encoding=encoding) for command in (
        ["list"], ["list", "--group"], ["prune", "--keep-best", "1"], ["best"],
    )}  # fmt: skip
    assert ("37.50% ± 17.68" if encoding != "ascii" else "37.50% +- 17.68") in shown["list --group"]
    assert ("\u65e5é1" if encoding == "utf-8" else "\\u65e5") in shown["list"]
    assert "\\udcff" in shown["list"]
    assert ("±" if encoding != "ascii" else "+-") in in_terminal("--help", encoding=encoding)
