from pathlib import Path

import pytest

from digitrec.errors import UsageError
from digitrec.run_folder.filters import chosen
from digitrec.run_folder.run import Run

RUNS = [
    Run(
        Path("a"),
        "finished",
        {"seed": 1, "start": "2026-11-20T10:00:00+00:00", "duration_s": 10.0, "device": "cpu", "tags": ["base", "x"]},
        {"val/accuracy": 0.99, "lr": 1e-5},
        {
            "model": "cnn",
            "optimizer": "adamw",
            "optimizer.lr": 0.001,
            "model.hidden": [128, 64],
            "compile": False,
            "callbacks.trial.turned.optimizer.lr": 0.5,
            "callbacks.ema.model": "no network",
        },
        "a",
    ),
    Run(
        Path("b"),
        "failed",
        {"seed": 2, "start": "2026-11-21T10:00:00+00:00", "device": "cuda:0"},
        {},
        {"model": "mlp", "optimizer": "sgd", "optimizer.lr": 0.1, "data.limit": None, "compile": True},
        "b",
    ),
]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("model=cnn", "a"),
        ("model==cnn", "a"),
        ("model != cnn", "b"),
        ("tag=base", "a"),
        ("tags=x tag!=y", "a"),
        ("tag!=x", "b"),
        ("val/accuracy>0.98", "a"),
        ("val/accuracy>98%", "a"),
        ("val/accuracy > 0.98 model = cnn", "a"),
        ("val/accuracy>0.98 model=mlp", ""),
        ("val/accuracy>=0.99", "a"),
        ("val/accuracy<0.99", ""),
        ("val/accuracy<=0.99", "a"),
        ("optimizer.lr=1e-3", "a"),
        ("callbacks.trial.turned.optimizer.lr=0.5", "a"),
        ("lr=0.1", "b"),
        ("lr>0.01", "b"),
        ("model.hidden=[128,64]", "a"),
        ("model.hidden!=[128,64]", "b"),
        ("compile=true", "b"),
        ("data.limit=null", "ab"),
        ("status=failed", "b"),
        ("seed=2", "b"),
        ("seed>=1", "ab"),
        ("duration_s<60", "a"),
        ("start>2026-11-21", "b"),
        ("device=cpu", "a"),
        ("name=b", "b"),
    ],
)
def test_expressions_choose(expression: str, names: str) -> None:
    assert "".join(run.name for run in chosen(RUNS, [expression])) == names


@pytest.mark.parametrize("expression", ["model=cnn", "lr=0.1", "seed=1", "data.limit=5", "val/accuracy=0.99"])
def test_is_and_is_not_part_the_runs(expression: str) -> None:
    those, others = chosen(RUNS, [expression]), chosen(RUNS, [expression.replace("=", "!=")])
    assert sorted(run.name for run in [*those, *others]) == ["a", "b"]


def test_several_expressions_all_hold() -> None:
    assert chosen(RUNS, ["seed>0", "model=mlp"]) == [RUNS[1]]
    assert chosen(RUNS, []) == RUNS


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("modle=cnn", "did you mean model"),
        ("val/acuracy>0.9", "did you mean val/accuracy"),
        ("optimizer.lrr=1", "did you mean optimizer.lr"),
        ("model", "expected a name, a sign"),
        ("=cnn", "expected a name, a sign"),
        ("val/accuracy>good", "expected a number after >, got good"),
        ("val/accuracy>", "expected a number after >, got nothing"),
        ("model='cnn", "closing quotation"),
        ("tag>5", "tags have no order; expected tag=... or tag!=..."),
        ("tags<=x", "tags have no order"),
        ("", "an empty expression"),
        (" ", "an empty expression"),
        ("val/accuracy=>0.9", "expected a name, a sign"),
        ("model===cnn", "expected a name, a sign"),
        ("val/accuracy>nan", "expected a number after >, got nan"),
    ],
)
def test_a_wrong_expression_is_answered_in_one_line(expression: str, answer: str) -> None:
    with pytest.raises(UsageError, match=answer) as caught:
        chosen(RUNS, [expression])
    assert "\n" not in str(caught.value)
    assert expression.strip().partition(" ")[0] in str(caught.value)


def test_of_no_runs_nothing_is_known_and_nothing_wrong() -> None:
    assert chosen([], ["anything=1"]) == []
