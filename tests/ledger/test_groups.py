from pathlib import Path
from statistics import fmean, stdev

import pytest

from digitrec.ledger.groups import grouped
from digitrec.ledger.run import Run


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


def test_a_group_without_the_metric_comes_last() -> None:
    assert [len(group.metrics) for group in grouped([run(0.1, 1, None), run(0.2, 1, 0.1)], "val/accuracy")] == [1, 0]
    assert grouped([], "val/accuracy") == []
