import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitrec.errors import UsageError
from digitrec.run_folder.find import find_runs, pick_run, with_run_paths
from digitrec.run_folder.run import EVALUATION
from digitrec.runs import __main__ as runs
from tests.command import NAMESPACE, Outcome, works
from tests.made_runs import make_run


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Two trainings, a sweep of two jobs, another sweep with a job of the same name, an evaluation."""
    root = tmp_path / "outputs"
    names = [
        "train/2026-11-21_10-00-00_mlp-digits-aa01",
        "train/2026-11-21_10-00-01_cnn-digits-bb02",
        "multirun/2026-11-21_11-00-00/seed-1",
        "multirun/2026-11-21_11-00-00/seed-2",
        "multirun/2026-11-21_12-00-00/seed-1",
    ]
    for number, name in enumerate(names):
        make_run(root / name, metrics={}, record={"start": f"2026-11-21T{10 + number}:00:00+00:00"})
    make_run(root / "evaluate" / "2026-11-21_13-00-00_cc03", metrics={}, record={"checkpoints": []})
    return root


def test_every_training_is_found_and_has_a_name_of_its_own(outputs: Path) -> None:
    notes: list[str] = []
    runs = find_runs([outputs], notes.append)
    assert [run.name for run in runs] == [
        "mlp-digits-aa01",
        "cnn-digits-bb02",
        "2026-11-21_11-00-00/seed-1",
        "seed-2",
        "2026-11-21_12-00-00/seed-1",
    ]
    assert [run.folder.relative_to(outputs).parts[0] for run in runs] == ["train", "train", *["multirun"] * 3]
    assert not notes
    assert len(find_runs([outputs], notes.append, kind=EVALUATION)) == 1


def test_a_run_counts_once_however_often_it_is_asked_for(outputs: Path) -> None:
    run = outputs / "multirun" / "2026-11-21_11-00-00" / "seed-2"
    assert len(find_runs([outputs, outputs / "train", run], lambda line: None)) == 5
    assert [found.folder for found in find_runs([run], lambda line: None)] == [run]


def test_links_and_hidden_folders_are_not_followed(outputs: Path, tmp_path: Path) -> None:
    elsewhere = make_run(tmp_path / "elsewhere" / "run", metrics={})
    (outputs / "train" / "latest").symlink_to(elsewhere)
    (outputs / "train" / "loop").symlink_to(outputs)
    make_run(outputs / ".trash" / "run", metrics={})
    assert len(find_runs([outputs], lambda line: None)) == 5


def test_what_is_no_run_is_noted_in_one_line_and_the_rest_goes_on(outputs: Path) -> None:
    damaged = make_run(outputs / "train" / "damaged")
    (damaged / "run.json").write_text("{")
    (outputs / "train" / "notes").mkdir()
    (outputs / "train" / "notes" / "mine.txt").touch()
    (outputs / "compare").mkdir()
    notes: list[str] = []
    assert len(find_runs([outputs], notes.append)) == 5
    assert len(notes) == 2
    assert all(any(str(outputs / "train" / name) in line for line in notes) for name in ("damaged", "notes"))


def test_folders_a_thousand_deep_are_noted(outputs: Path, run_main: Callable[..., Outcome]) -> None:
    deep = outputs / "train" / "deep"
    inside = outputs / "train" / "2026-11-21_10-00-00_mlp-digits-aa01"
    for start in (deep, inside):
        start.mkdir(exist_ok=True)
        here = os.open(start, os.O_RDONLY)
        for _ in range(1100):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
    notes: list[str] = []
    assert len(find_runs([outputs], notes.append)) == 5
    (line,) = notes
    assert line.endswith(": folders in each other more than 50 deep; not searched")
    for command in (["show", "mlp"], ["prune", "--where", "name=mlp-digits-aa01"]):
        outcome = run_main(runs.main, *command)
        assert "Traceback" not in outcome.err
    subprocess.run(["rm", "-r", str(outputs)], check=True)  # Python's own way is too deep as well


@pytest.mark.skipif(os.geteuid() == 0 and not works(NAMESPACE), reason="nothing is closed to root")
@pytest.mark.parametrize("place", ["train", "multirun/2026-11-21_11-00-00/beside"])
def test_a_folder_that_cannot_be_read_is_noted(place: str, outputs: Path) -> None:
    closed = outputs / place
    closed.mkdir(exist_ok=True)
    readable = [run for run in find_runs([outputs], print) if closed not in run.folder.parents]
    closed.chmod(0)
    command = [*(NAMESPACE if os.geteuid() == 0 else []), sys.executable, "-m", "digitrec.runs", "list", "--json"]
    done = subprocess.run([*command, str(outputs)], capture_output=True, text=True, timeout=60, check=False)
    closed.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, f"note: {closed}: cannot be read: Permission denied\n")
    assert sorted(entry["name"] for entry in json.loads(done.stdout)) == sorted(run.name for run in readable)


def test_only_the_default_folder_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_runs([Path("outputs")], print) == []
    with pytest.raises(UsageError, match="elsewhere: no such folder"):
        find_runs([Path("elsewhere")], print)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("mlp-digits-aa01", "mlp-digits-aa01"),
        ("bb02", "cnn-digits-bb02"),
        ("2026-11-21_10-00-01_cnn-digits-bb02", "cnn-digits-bb02"),
        ("seed-2", "seed-2"),
        ("12-00-00/seed-1", "2026-11-21_12-00-00/seed-1"),
    ],
)
def test_a_part_of_a_name_is_enough_when_it_is_one_runs_alone(word: str, name: str, outputs: Path) -> None:
    runs = find_runs([outputs], print)
    assert pick_run(word, runs, print).name == name
    chosen = pick_run(str(next(run.folder for run in runs if run.name == name)), runs, print)
    assert chosen.name == name


def test_a_path_to_a_run_anywhere_will_do(outputs: Path, tmp_path: Path) -> None:
    mine = make_run(tmp_path / "mine", metrics={})
    assert pick_run(str(mine), find_runs([outputs], print), print).name == "mine"


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("seed-1", "2 runs have this"),
        ("mlp-digit-aa01", "did you mean mlp-digits-aa01"),
        ("zzz", "there are"),
    ],
)
def test_no_run_or_several_is_said_in_one_line(word: str, answer: str, outputs: Path) -> None:
    with pytest.raises(UsageError, match=answer) as caught:
        pick_run(word, find_runs([outputs], print), print)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("checkpoint=3f2a", "checkpoint=outputs/train/cnn-3f2a"),
        ("checkpoint=[3f2a,mlp-77]", "checkpoint=[outputs/train/cnn-3f2a,outputs/train/mlp-77]"),
        ("+resume=cnn-3f2a", "+resume=outputs/train/cnn-3f2a"),
        ("init_from=handwriting", "init_from=handwriting"),
        ("resume=auto", "resume=auto"),
        ("rerun=outputs/3f2a", "rerun=outputs/3f2a"),
        ("checkpoint=unknown", "checkpoint=unknown"),
        ("checkpoint=9999", "checkpoint='9999'"),
        ("checkpoint=[77,1e5,true]", "checkpoint=[outputs/train/mlp-77,'1e5','true']"),
        ("checkpoint=2026-11-21_11-00-00/0", "checkpoint=outputs/multirun/2026-11-21_11-00-00/0"),
        ("checkpoint=11-00-00/0", "checkpoint=11-00-00/0"),
        ("checkpoint=other/0", "checkpoint=other/0"),
        ("note=3f2a", "note=3f2a"),
        ("-m", "-m"),
    ],
)
def test_a_run_is_named_by_a_part_of_its_name_wherever_one_is_asked_for(
    given: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cnn-3f2a", "mlp-77", "cnn-of-handwriting"):
        make_run(tmp_path / "outputs" / "train" / name)
    for name in ("2026-11-21_11-00-00", "other"):
        make_run(tmp_path / "outputs" / "multirun" / name / "0")
    (tmp_path / "other" / "0").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert with_run_paths(given) == wanted
    with pytest.raises(UsageError, match="cnn: 2 runs have this in their name"):
        with_run_paths("against=cnn")
