"""What a search may turn, and what is said of what it may not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from digitrec.errors import UsageError
from digitrec.tune.space import Dimension, as_they_are, read_space
from tests.command import Command

RIGHT = ("model=mlp", "data=digits")


SETTINGS = {
    "model": {"_target_": "digitrec.models.mlp.MLP", "hidden": [128, 64], "dropout": 0.2},
    "optimizer": {"lr": 0.003},
    "seed": 1,
}
GROUPS = {"model": "mlp", "optimizer": "adamw"}


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ({"optimizer": {"lrr": {"uniform": [0, 1]}}}, "no such setting, did you mean tune.optimizer.lr?"),
        ({"optimizerr": {"lr": {"uniform": [0, 1]}}}, "did you mean tune.optimizer?"),
        ({"zzz": {"uniform": [0, 1]}}, "there are model, optimizer, seed"),
        ({"model": {"dropout": {"uniform": [0.5, 0.1]}}}, "the lower bound comes first, below the upper one"),
        ({"model": {"dropout": {"uniform": [0.5]}}}, "expected two numbers, [low, high]"),
        ({"model": {"dropout": {"uniform": ["a", "b"]}}}, "expected two numbers, [low, high]"),
        ({"model": {"dropout": {"uniform": [0.1, float("inf")]}}}, "expected two numbers, [low, high]"),
        ({"model": {"dropout": {"uniform": 0.5}}}, "tune.model.dropout.uniform=0.5: expected a list in brackets"),
        ({"model": {"dropout": 0.5}}, "expected one of choice, uniform, log_uniform, int"),
        ({"model": {"dropout": {"unifrom": [0, 1]}}}, "unknown kind of range, did you mean uniform?"),
        ({"model": {"dropout": {"uniform": [0, 1], "int": [0, 1]}}}, "expected one of choice"),
        ({"optimizer": {"lr": {"log_uniform": [0, 1]}}}, "a logarithm needs a lower bound above 0"),
        ({"seed": {"int": [1, 2.5]}}, "expected whole numbers"),
        ({"model": {"hidden": {"choice": [[128, 64]]}}}, "expected at least two different values"),
        ({"model": [1, 2]}, "tune.model: a group of settings"),
        ({"model": {"_target_": {"choice": ["a", "b"]}}}, "tune.model._target_: there is no such setting"),
        ({}, "no setting to search"),
        ({"model": {"dropout": None}}, "no setting to search"),
    ],
)  # fmt: skip
def test_a_wrong_space_is_told_by_its_key(tune: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as error:
        read_space(tune, SETTINGS, GROUPS)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_is_read_beside_the_settings_that_it_turns() -> None:
    tune = {"model": {"choice": ["mlp", "cnn"]}, "optimizer": {"lr": {"log_uniform": [1, 2]}}, "seed": {"int": [1, 9]}}
    space = read_space(tune, SETTINGS, GROUPS)
    assert space == [
        Dimension("model", "choice", ("mlp", "cnn")),
        Dimension("optimizer.lr", "log_uniform", (1.0, 2.0)),
        Dimension("seed", "int", (1, 9)),
    ]
    assert as_they_are(space, SETTINGS, GROUPS) == {"model": "mlp", "optimizer.lr": 0.003, "seed": 1}


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("tune.model.dropout.uniform=[0,1.5]", "dropout.uniform: model.dropout=1.5: it should be less than 1"),
        ("tune.model.hidden.choice=[[8],[a]]", "it should be a valid integer"),
        ("+tune.scheduler.choice=[cosine,one_cicle]", "no such option, did you mean scheduler=one_cycle?"),
        ("objective=val/acuracy", "did you mean val/accuracy?"),
        ("objective=train/accuracy", "expected a metric of validation images"),
        ("test=true", "a search does not read test images"),
        ("data.val_size=0", "a search needs validation images"),
        ("trial=3", "trial: unknown key, did you mean trials?"),
        ("model.dropout=2", "model.dropout=2: it should be less than 1"),
        ("tune=mpl", "tune=mpl: no such option, did you mean tune=mlp?"),
        ("resume=outputs/tune/none", "no study in this folder"),
        ("trainer.devices=2", "each run of a search is one process"),
        ("rerun=outputs/train/x", "rerun=outputs/train/x: a search starts new runs"),
        ("-m", "-m: a search starts its runs itself"),
        ("hydra.mode=MULTIRUN", "-m: a search starts its runs itself"),
        ("workers=100000", "workers=100000: expected at most 4 runs at a time for each core"),
        ("~optimizer.eps", "~optimizer.eps: a search cannot remove a setting from its experiment"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_told_in_a_line_and_leaves_nothing(
    argument: str, words: str, run_tune: Command, tmp_path: Path
) -> None:
    outcome = run_tune(*RIGHT, argument)
    assert words in outcome.err
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert not list(tmp_path.glob("outputs/tune/*"))


@pytest.mark.parametrize("argument", ["+tune.model.dropouts.uniform=[0,1]", "--help"])
def test_answers_without_importing_torch_or_optuna(argument: str, tmp_path: Path) -> None:
    program = (
        "import sys; from digitrec.tune import __main__ as tune\n"
        "try: tune.main()\n"
        "except SystemExit: print('torch' in sys.modules or 'optuna' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, "model=mlp", argument]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.endswith("False\n")


def test_the_origin_of_a_wrong_range_is_named(run_tune: Command) -> None:
    outcome = run_tune(*RIGHT, "tune.model.dropout.uniform=[0.5,0.1]")
    assert "(from the command line: tune.model.dropout.uniform=[0.5,0.1])" in outcome.err


@pytest.mark.parametrize(
    ("kind", "values", "value", "held"),
    [
        ("uniform", (0.0, 0.5), 0.2, True),
        ("uniform", (0.0, 0.5), 0, True),
        ("uniform", (0.0, 0.5), 0.6, False),
        ("int", (1, 3), 3, True),
        ("choice", ("[8]", "[16]"), "[8]", True),
        ("choice", ("[8]", "[16]"), "[9]", False),
        ("uniform", (0.0, 0.5), None, False),
    ],
)
def test_a_dimension_knows_what_it_could_propose(
    kind: str, values: tuple[float, ...], value: float | str | None, held: bool
) -> None:
    assert Dimension("x", kind, values).holds(value) == held


@pytest.mark.parametrize("value", [0.123456, 0.0001234567, 0.49999, 1e-05])
def test_proposed_numbers_have_few_digits_and_stay_within_bounds(value: float) -> None:
    turned = Dimension("x", "uniform", (1.004e-5, 0.4999))
    tidy = turned.tidy(value)
    assert isinstance(tidy, float)
    assert 1.004e-5 <= tidy <= 0.4999
    assert tidy == pytest.approx(value, rel=0.006)
    assert Dimension("x", "int", (1, 9)).tidy(7) == 7
    assert Dimension("x", "choice", ("[8]",)).tidy("[8]") == "[8]"


def test_without_optuna_the_extra_is_named(run_tune: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitrec.tune.__main__.find_spec", lambda name: None)
    outcome = run_tune(*RIGHT)
    assert (outcome.code, outcome.err) == (
        2,
        "error: digitrec.tune needs the extra tune: python -m pip install 'optuna>=4.9'\n",
    )
