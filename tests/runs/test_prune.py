import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.find import find_runs
from digitrec.run_folder.record import LOCK
from digitrec.runs.prune import Selection, delete, folder_size, parse_age, select
from tests.command import Command
from tests.made_runs import make_run


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """A sweep of three jobs that become better, a failed run, a killed one, and what is no run."""
    root = tmp_path / "outputs"
    sweep = root / "multirun" / "2026-11-21_11-00-00"
    for number in (1, 2, 3):
        make_run(sweep / f"job-{number}", metrics={"val/accuracy": number / 10})
    (sweep / "multirun.yaml").write_text("hydra: {}")
    make_run(root / "train" / "failed", status="failed")
    make_run(root / "train" / "killed", status="running")
    (root / "train" / "mine").mkdir()
    (root / "train" / "mine" / "notes.txt").write_text("notes")
    return root


def left(root: Path) -> set[str]:
    return {file.parent.name for file in root.rglob("run.json")}


def everything(root: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def test_nothing_is_deleted_unless_told(run_runs: Command, outputs: Path) -> None:
    before = everything(outputs)
    outcome = run_runs("prune", "--where", "status=failed")
    assert outcome.code == 0, outcome.err
    assert "would delete 1 run" in outcome.out
    assert "outputs/train/failed" in outcome.out
    (entry,) = json.loads(run_runs("prune", "--where", "status=failed", "--json").out)
    assert (entry["name"], entry["deleted"]) == ("failed", False)
    assert entry["bytes"] == sum(
        file.stat().st_size for file in (outputs / "train" / "failed").rglob("*.*") if file.is_file()
    )
    assert everything(outputs) == before


def test_told_so_it_deletes_these_and_nothing_else(run_runs: Command, outputs: Path) -> None:
    before = everything(outputs)
    outcome = run_runs("prune", "--where", "status=failed", "--delete")
    assert outcome.code == 0, outcome.err
    assert "deleted 1 run" in outcome.out
    assert not (outputs / "train" / "failed").exists()
    gone = {name for name in before if "/failed/" in name}
    assert everything(outputs) == {name: content for name, content in before.items() if name not in gone}


def test_the_best_stay_and_so_does_the_sweeps_folder(run_runs: Command, outputs: Path) -> None:
    assert run_runs("prune", "outputs/multirun", "--keep-best", "1", "--delete").code == 0
    assert left(outputs / "multirun") == {"job-3"}
    assert run_runs("prune", "outputs/multirun", "--keep-best", "0", "--delete").code == 0
    (sweep,) = (outputs / "multirun").iterdir()
    assert [file.name for file in sweep.iterdir()] == ["multirun.yaml"]


def test_what_cannot_be_ranked_is_not_bad(outputs: Path) -> None:
    make_run(outputs / "train" / "other", metrics={"test/accuracy": 0.9})
    runs = find_runs([outputs], lambda line: None)
    assert {run.name for run in select(runs, Selection(keep=2, metric="val/accuracy"))} == {"job-1", "failed"}


def test_all_that_is_said_must_apply(outputs: Path) -> None:
    runs = find_runs([outputs], lambda line: None)
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert len(select(runs, Selection(older=timedelta(hours=1)), now)) == 5
    assert not select(runs, Selection(older=timedelta(hours=3)), now)
    assert not select(runs, Selection(where=["status=failed"], older=timedelta(hours=3)), now)
    with pytest.raises(UsageError, match="choose runs"):
        select(runs, Selection())


def test_a_running_run_stays_whatever_is_said(run_runs: Command, outputs: Path) -> None:
    with FileLock(outputs / "train" / "killed" / LOCK):
        assert run_runs("prune", "--where", "status!=finished", "--delete").code == 0
        assert left(outputs / "train") == {"killed"}
        with pytest.raises(DigitrecError, match="going on"):
            delete(outputs / "train" / "killed")
    delete(outputs / "train" / "killed")
    assert not (outputs / "train" / "killed").exists()


def test_what_links_point_to_is_not_touched(outputs: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data.bin").write_bytes(b"x" * 5000)
    run = outputs / "train" / "failed"
    (run / "data").symlink_to(precious)
    (run / "file").symlink_to(precious / "data.bin")
    assert folder_size(run) < 5000
    delete(run)
    assert (precious / "data.bin").stat().st_size == 5000
    (outputs / "train" / "link").symlink_to(outputs / "train" / "killed")
    with pytest.raises(DigitrecError, match="a link"):
        delete(outputs / "train" / "link")
    assert "killed" in left(outputs)


def test_that_something_stays_which_was_to_go_is_a_failure(run_runs: Command, outputs: Path, tmp_path: Path) -> None:
    make_run(outputs / "train" / "failed" / "inner")
    make_run(tmp_path / "elsewhere", status="failed")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    asked = ("prune", "outputs", "link", "--where", "status=failed")
    assert run_runs(*asked).code == 0
    listed = run_runs(*asked, "--delete")
    assert listed.code == 1
    assert "failed: it holds another run" in listed.err
    assert "link: a link" in listed.err
    assert {"failed", "inner"} <= left(outputs)
    assert (tmp_path / "elsewhere" / "run.json").is_file()


def test_only_run_folders_are_deleted_and_none_with_another_in_it(outputs: Path) -> None:
    with pytest.raises(DigitrecError, match="no run"):
        delete(outputs / "train" / "mine")
    make_run(outputs / "train" / "failed" / "inner")
    with pytest.raises(DigitrecError, match="it holds another run"):
        delete(outputs / "train" / "failed")
    assert left(outputs) >= {"failed", "inner"}


def test_cut_off_half_way_it_is_still_a_run_that_can_go(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = outputs / "train" / "failed"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", broken)
        with pytest.raises(DigitrecError, match="cannot be deleted"):
            delete(run)
    assert (run / "run.json").is_file()
    delete(run)
    assert not run.exists()


def broken(path: str) -> None:
    raise OSError("the disk is on fire")


@pytest.mark.parametrize("text", ["9999999999999d", "999999w", "soon"])
def test_ages_beyond_all_runs_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_age(text)


@pytest.mark.parametrize(("text", "age"), [("30d", {"days": 30}), ("12h", {"hours": 12}), ("1.5w", {"weeks": 1.5})])
def test_ages(text: str, age: dict[str, float]) -> None:
    assert parse_age(text) == timedelta(**age)


@pytest.mark.parametrize("arguments", [(), ("--older-than", "soon"), ("--keep-best", "-1"), ("--where", "x=1")])
def test_wrong_usage_is_one_line_and_deletes_nothing(
    arguments: tuple[str, ...], run_runs: Command, outputs: Path
) -> None:
    before = everything(outputs)
    outcome = run_runs("prune", "--delete", *arguments)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert everything(outputs) == before
