from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest

from digitrec.run_folder.groups import grouped
from digitrec.run_folder.run import Run


def run(lr: float, seed: int, accuracy: float | None) -> Run:
    metrics = {} if accuracy is None else {"val/accuracy": accuracy}
    status = "failed" if accuracy is None else "finished"
    return Run(Path(f"{lr}-{seed}"), status, {"seed": seed}, metrics, {"optimizer.lr": lr, "seed": seed})


def test_seeds_are_taken_together_and_recipes_are_not() -> None:
    runs = [run(0.1, 1, 0.8), run(0.1, 2, 0.9), run(0.1, 3, None), run(0.2, 1, 0.95)]
    best, other = grouped(runs, "val/accuracy")
    assert [it.record["seed"] for it in best.runs] == [1]
    assert (best.metrics["val/accuracy"].std, best.metrics["val/accuracy"].n) == (None, 1)
    found = other.metrics["val/accuracy"]
    assert found.n == 2
    assert found.mean == pytest.approx(fmean([0.8, 0.9]))
    assert found.std == pytest.approx(stdev([0.8, 0.9]))
    assert len(other.runs) == 3


def test_a_seed_counts_once_by_its_newest_finished_run() -> None:
    again = replace(run(0.1, 1, 0.7), folder=Path("again"), record={"seed": 1, "start": "2026-11-22"})
    later = {"seed": 1, "start": "2026-11-23"}
    failed = replace(run(0.1, 1, 0.1), folder=Path("failed"), status="failed", record=later)
    (group,) = grouped([again, failed, run(0.1, 1, 0.8), run(0.1, 2, 0.9)], "val/accuracy")
    assert group.metrics["val/accuracy"].mean == pytest.approx(fmean([0.7, 0.9]))
    assert (group.metrics["val/accuracy"].n, len(group.runs)) == (2, 4)


def test_runs_of_unknown_settings_or_seeds_are_not_taken_for_one() -> None:
    bare = [Run(Path(name), "finished", {"seed": 1}, {"val/accuracy": 0.5}) for name in "ab"]
    assert [len(group.runs) for group in grouped(bare, "val/accuracy")] == [1, 1]
    seedless = [replace(run(0.1, 1, value), record={}, folder=Path(str(value))) for value in (0.5, 0.6)]
    seedless = [replace(one, settings={"optimizer.lr": 0.1}) for one in seedless]
    (group,) = grouped(seedless, "val/accuracy")
    assert group.metrics["val/accuracy"].n == 2


def test_a_group_without_the_metric_comes_last() -> None:
    assert [len(group.metrics) for group in grouped([run(0.1, 1, None), run(0.2, 1, 0.1)], "val/accuracy")] == [1, 0]
    assert grouped([], "val/accuracy") == []
