from pathlib import Path

import pytest

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.ranking import best_run, check_metric, lower_is_better, ranked, usual_metric
from digitrec.run_folder.run import Run


def run(name: str, start: str = "", objective: str = "val/accuracy", **metrics: float) -> Run:
    return Run(
        Path(name),
        "finished",
        {"start": start},
        {key.replace("_", "/", 1): value for key, value in metrics.items()},
        {"objective": objective},
        name,
    )


@pytest.mark.parametrize("metric", ["val/loss", "train/loss_step", "test/calibration_error"])
def test_of_losses_and_errors_less_is_better(metric: str) -> None:
    assert lower_is_better(metric)


@pytest.mark.parametrize("metric", ["val/accuracy", "test/r2", "train/images_per_second", "loss_of_words/f1"])
def test_of_all_else_more_is_better(metric: str) -> None:
    assert not lower_is_better(metric)


def test_the_best_comes_first_and_what_lacks_the_metric_last() -> None:
    runs = [run("none"), run("low", val_accuracy=0.1, val_loss=2), run("high", val_accuracy=0.9, val_loss=1)]
    assert [it.name for it in ranked(runs, "val/accuracy")] == ["high", "low", "none"]
    assert [it.name for it in ranked(runs, "val/loss")] == ["high", "low", "none"]
    assert best_run(runs, "val/loss").name == "high"


def test_of_equals_the_newest_comes_first() -> None:
    runs = [run("old", "2026-01-01", val_accuracy=0.5), run("new", "2026-01-02", val_accuracy=0.5)]
    assert [it.name for it in ranked(runs, "val/accuracy")] == ["new", "old"]


def test_the_usual_metric_is_what_most_runs_were_judged_by() -> None:
    assert usual_metric([]) == "val/accuracy"
    assert usual_metric([run("a"), run("b", objective="val/loss"), run("c", objective="val/loss")]) == "val/loss"


def test_no_best_without_the_metric() -> None:
    with pytest.raises(DigitrecError, match="there is no run"):
        best_run([], "val/accuracy")
    with pytest.raises(DigitrecError, match="they have test/accuracy"):
        best_run([run("a", test_accuracy=0.5)], "val/accuracy")


def test_an_unknown_metric_is_named_with_a_near_one() -> None:
    with pytest.raises(UsageError, match="did you mean val/accuracy"):
        check_metric("val/acuracy", [run("a", val_accuracy=0.5)])
    with pytest.raises(UsageError, match="did you mean test/f1"):
        check_metric("f1", [run("a", test_f1=0.5)])
    check_metric("anything", [])
