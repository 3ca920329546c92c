import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digitrec.errors import DigitrecError, FolderTakenError, UsageError
from digitrec.run_folder.provenance import git_revision
from digitrec.run_folder.record import LOCK, run_record, write_json


def read(run_dir: Path) -> dict[str, Any]:
    assert {path.name for path in run_dir.iterdir()} <= {LOCK, "run.json"}
    content: dict[str, Any] = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    return content


def test_a_run_is_running_until_it_has_finished(tmp_path: Path) -> None:
    with run_record(tmp_path) as record:
        assert read(tmp_path)["status"] == "running"
        assert "duration_s" not in read(tmp_path)
        record["seed"] = 7
    done = read(tmp_path)
    assert (done["status"], done["seed"]) == ("finished", 7)
    assert 0 <= done["duration_s"] < 60
    assert "error" not in done


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("data.val_size=9: hold out fewer"), "data.val_size=9: hold out fewer"),
        (KeyError("lr"), "KeyError: 'lr'"),
        (RuntimeError("out of memory\nby far"), "RuntimeError: out of memory\nby far"),
    ],
)
def test_an_error_makes_it_failed_and_goes_on(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises(type(error)) as caught, run_record(tmp_path):
        raise error
    assert caught.value is error
    found = read(tmp_path)
    assert (found["status"], found["error"]) == ("failed", said)
    assert "duration_s" in found


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit(143)])
def test_a_signal_makes_it_interrupted_and_goes_on(tmp_path: Path, signal: BaseException) -> None:
    with pytest.raises(type(signal)), run_record(tmp_path):
        raise signal
    assert read(tmp_path)["status"] == "interrupted"
    assert "error" not in read(tmp_path)


def test_a_run_that_goes_on_keeps_its_beginning_and_lists_what_came_later(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_record(tmp_path):
        raise KeyboardInterrupt
    first = read(tmp_path)
    with run_record(tmp_path, resume=True):
        assert read(tmp_path)["status"] == "running"
    last = read(tmp_path)
    assert (last["status"], last["start"], last["command"]) == ("finished", first["start"], first["command"])
    assert [later["start"] > first["start"] for later in last["resumed"]] == [True]
    assert last["duration_s"] >= first["duration_s"]


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("duration_s", value) for value in ("long", None, [1], -1, 10**400)), ("resumed", 1), ("data_checksum", 7)],
)
def test_a_damaged_record_is_named_and_left_as_it_is(tmp_path: Path, name: str, value: object) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"status": "interrupted", name: value}))
    before = (tmp_path / "run.json").read_bytes()
    said = rf"run\.json: {name} is .{{1,40}}, expected"
    with pytest.raises(DigitrecError, match=said), run_record(tmp_path, resume=True):
        pass
    assert (tmp_path / "run.json").read_bytes() == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_is_still_going_on_is_left_alone(tmp_path: Path, resume: bool) -> None:
    with run_record(tmp_path):
        before = (tmp_path / "run.json").read_bytes()
        with (
            pytest.raises(FolderTakenError, match=f"still going on, in process {os.getpid()}"),
            run_record(tmp_path, resume=resume),
        ):
            pass
        assert (tmp_path / "run.json").read_bytes() == before


def test_it_says_what_was_run_with_what(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    with run_record(tmp_path):
        pass
    record = read(tmp_path)
    assert (
        before.timestamp() - 1 <= datetime.fromisoformat(record["start"]).timestamp() <= datetime.now(UTC).timestamp()
    )
    assert shlex.split(record["command"])[1:] == sys.orig_argv[1:]
    assert {"python", "digitrec", "torch", "lightning"} <= set(record["versions"])
    assert all(record["versions"].values())


def test_the_revision_is_a_commit_or_nothing() -> None:
    revision = git_revision()
    assert revision is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", revision)


@pytest.mark.parametrize(
    "content", [{"path": Path("a b")}, {"é": "\n"}, {}, {"deep": {"list": [1, None, True]}}], ids=str
)
def test_whatever_is_written_is_valid_json(tmp_path: Path, content: Mapping[str, Any]) -> None:
    write_json(tmp_path / "run.json", content)
    assert read(tmp_path) == json.loads(json.dumps(content, default=str))


def test_numbers_that_json_lacks_are_written_as_null_wherever_they_stand(tmp_path: Path) -> None:
    inf, nan = float("inf"), float("nan")
    write_json(tmp_path / "run.json", {"a": inf, "b": [1.5, -inf, {"c": nan, inf: 2}], "d": (nan,)})
    assert read(tmp_path) == {"a": None, "b": [1.5, None, {"c": None, "inf": 2}], "d": [None]}


def test_content_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"status": "running"})
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    with pytest.raises(RecursionError):
        write_json(tmp_path / "run.json", circle)
    assert read(tmp_path) == {"status": "running"}
