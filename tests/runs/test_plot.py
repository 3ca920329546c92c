import csv
from pathlib import Path

import pytest

from tests.command import Command
from tests.made_runs import make_run


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two models, two learning rates, two seeds; accuracy tells which."""
    for model, base in (("cnn", 0.9), ("mlp", 0.8)):
        for lr in (0.01, 0.1):
            for seed in (1, 3):
                folder = tmp_path / "outputs" / f"{model}-{lr}-{seed}"
                metrics = {"test/accuracy": base + lr / 10 + seed / 1000}
                make_run(folder, metrics=metrics, choices={"model": model}, seed=seed, optimizer__lr=lr,
                         record={"seed": seed})  # fmt: skip
    return tmp_path


def test_a_metric_is_drawn_over_a_setting_with_mean_and_deviation(run_runs: Command, sweep: Path) -> None:
    outcome = run_runs("plot", "--x", "lr", "--y", "test/accuracy", "--by", "model", "--log-x", "-o", "new/lr.png")
    assert outcome.code == 0, outcome.err
    assert (sweep / "new" / "lr.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((sweep / "new" / "lr.csv").open(encoding="utf-8")))
    assert [(row["line"], float(row["x"]), row["n"]) for row in rows] == [
        ("cnn", 0.01, "2"), ("cnn", 0.1, "2"), ("mlp", 0.01, "2"), ("mlp", 0.1, "2"),
    ]  # fmt: skip
    assert float(rows[0]["mean"]) == pytest.approx(0.903)
    assert float(rows[0]["std"]) == pytest.approx(0.001414, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--x batch_size", "data.batch_size: it does not vary among 8 runs"),
        ("--x lr --y test/acuracy", "did you mean test/accuracy"),
        ("--x nothing", "nothing: no run has this setting"),
        ("--x optimizer", "expected numbers"),
        ("--x lr", "model: varies as well; choose runs with --where, or draw lines --by model"),
        ("--x lr --where seed=9", "none of 8 runs fits seed=9"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(words: str, answer: str, run_runs: Command, sweep: Path) -> None:
    outcome = run_runs("plot", "--y", "test/accuracy", *words.split())
    assert outcome.code == 2
    assert answer in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(sweep.rglob("*.png"))
