import json
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from digitrec.errors import DigitrecError
from digitrec.run_folder.record import LOCK
from digitrec.run_folder.run import EVALUATION, OTHER, TRAINING, is_held, read_run
from tests.made_runs import make_run

HOLD = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); input()"


def seen(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_a_run_is_running_only_while_a_process_holds_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", status="running")
    assert read_run(run).status == "killed"
    command = [sys.executable, "-c", HOLD, str(run / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert read_run(run).status == "running"
        process.kill()
    assert read_run(run).status == "killed"


def test_to_look_changes_nothing_and_stands_in_nobodys_way(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", status="running")
    before = seen(run)
    assert not is_held(run)
    assert seen(run) == before
    with FileLock(run / LOCK):
        before = seen(run)
        assert is_held(run)
        assert seen(run) == before
    assert not is_held(run)
    with FileLock(run / LOCK).acquire(blocking=False):
        pass


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_how_a_run_ended_is_as_it_was_written(status: str, tmp_path: Path) -> None:
    error = {"error": "first line\nsecond"}
    run = read_run(make_run(tmp_path / "run", status=status, seed=7, metrics={"val/accuracy": 0.5}, record=error))
    assert (run.status, run.seed, run.seconds, run.error) == (status, 7, 61.2, "first line")
    assert run.start.startswith("2026-11-21")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"val/loss": 1' + 5000 * "0" + "}", 100_000 * "[", None])
def test_metrics_that_are_missing_or_damaged_are_noted_and_the_rest_is_read(
    content: str | None, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run")
    if content is not None:
        (run / "metrics.json").write_text(content)
    notes: list[str] = []
    assert read_run(run, notes.append).settings["model"] == "mlp"
    (line,) = notes
    assert line.startswith(f"{run / 'metrics.json'}: ")


def test_a_failed_run_needs_no_metrics(tmp_path: Path) -> None:
    notes: list[str] = []
    read_run(make_run(tmp_path / "run", status="failed"), notes.append)
    assert not notes


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"status'])
def test_a_damaged_record_is_no_run(content: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "run.json").write_text(content)
    with pytest.raises(DigitrecError, match=r"run\.json"):
        read_run(run)


def test_trainings_are_told_from_evaluations_and_benchmarks(tmp_path: Path) -> None:
    assert read_run(make_run(tmp_path / "a")).kind == TRAINING
    assert read_run(make_run(tmp_path / "b", record={"checkpoints": ["x"]})).kind == EVALUATION
    benchmark = make_run(tmp_path / "c")
    (benchmark / "benchmark.json").write_text(json.dumps({}))
    assert read_run(benchmark).kind == OTHER


@pytest.mark.parametrize("number", ["NaN", "1e999", "1" + 400 * "0", "null", '"x"'])
def test_what_is_no_finite_number_is_left_out(number: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "metrics.json").write_text(f'{{"val/loss": {number}, "val/accuracy": 0.5}}')
    (run / "run.json").write_text(f'{{"status": "finished", "duration_s": {number}}}')
    found = read_run(run)
    assert (found.metrics, found.seconds) == ({"val/accuracy": 0.5}, None)
