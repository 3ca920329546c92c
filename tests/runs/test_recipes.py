"""Laws of comparing two recipes over seeds and folds."""

import json
from pathlib import Path

import pytest
from scipy import stats

from digitrec.run_folder.run import Run
from digitrec.runs.recipes import compare_recipes, lines
from tests.command import Command
from tests.made_runs import make_run

A, B = [0.981, 0.984, 0.979, 0.983], [0.985, 0.985, 0.983, 0.989]
METRIC = "val/accuracy"


def runs_of(values: list[float], first_seed: int = 1, folds: int | None = None) -> list[Run]:
    return [
        Run(
            Path(f"{first_seed}-{place}"),
            "finished",
            record={"seed": first_seed if folds else first_seed + place},
            metrics={METRIC: value},
            settings={"data.fold": place, "data.folds": folds} if folds else {},
        )
        for place, value in enumerate(values)
    ]


def test_runs_of_the_same_seeds_get_the_paired_test_of_scipy() -> None:
    found = compare_recipes(runs_of(A), runs_of(B)[::-1], ("a", "b"), METRIC)
    expected = stats.ttest_rel(B, A)
    assert found.paired
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    swapped = compare_recipes(runs_of(B), runs_of(A), ("b", "a"), METRIC)
    assert swapped.difference == pytest.approx(-found.difference)
    assert swapped.p_value == pytest.approx(found.p_value)


def test_runs_of_other_seeds_get_welch_s_test_of_scipy() -> None:
    found = compare_recipes(runs_of(A), runs_of(B[:3], first_seed=50), ("a", "b"), METRIC)
    expected = stats.ttest_ind(B[:3], A, equal_var=False)
    assert not found.paired
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_folds_widen_the_interval_as_they_share_images() -> None:
    plain, folds = (compare_recipes(runs_of(A, folds=k), runs_of(B, folds=k), ("", ""), METRIC) for k in (None, 4))
    assert plain.interval
    assert folds.interval
    widths = [high - low for low, high in (plain.interval, folds.interval)]
    assert widths[1] / widths[0] == pytest.approx(((1 / 4 + 1 / 3) / (1 / 4)) ** 0.5)


def test_the_seeds_that_are_needed_show_the_difference_as_often_as_promised() -> None:
    values = [[0.50, 0.52, 0.49, 0.51, 0.53], [0.51, 0.51, 0.52, 0.50, 0.54]]
    found = compare_recipes(runs_of(values[0]), runs_of(values[1]), ("a", "b"), METRIC)
    assert found.p_value is not None
    assert found.p_value > 0.05
    assert found.needed is not None
    differences = [b - a for a, b in zip(*values, strict=True)]
    effect = found.difference / stats.tstd(differences)
    power = stats.nct.sf(stats.t.ppf(0.975, found.needed - 1), found.needed - 1, effect * found.needed**0.5)
    assert power == pytest.approx(0.8, abs=0.05)
    assert "it may well be chance" in "\n".join(lines(found))


def test_equal_runs_have_no_test() -> None:
    found = compare_recipes(runs_of([0.9, 0.9]), runs_of([0.9, 0.9]), ("a", "b"), METRIC)
    assert (found.interval, found.p_value) == (None, None)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name, values, lr in (("slow", A, 0.003), ("fast", B, 0.01)):
        for seed, value in enumerate(values):
            make_run(tmp_path / f"{name}{seed}", metrics={METRIC: value}, record={"seed": seed}, optimizer__lr=lr)
    return tmp_path


def test_a_run_that_fits_both_expressions_belongs_to_the_longer(study: Path, run_runs: Command) -> None:
    outcome = run_runs("compare", "--group", "model=mlp", "model=mlp lr=0.01", "--in", str(study), "--json", code=0)
    found = json.loads(outcome.out)
    assert [spread["mean"] for spread in found["spreads"]] == pytest.approx([sum(A) / 4, sum(B) / 4])
    assert found["p_value"] == pytest.approx(stats.ttest_rel(B, A).pvalue)


@pytest.mark.parametrize(
    ("expressions", "message"),
    [
        (("lr=0.003", "lr=0.5"), "lr=0.5: 0 of 8 runs with val/accuracy; expected two seeds or more"),
        (("model=mlp", "seed>=2 model=mlp"), "model=mlp: its runs differ in optimizer.lr as well"),
        (("lr=0.003", "lr=0.01", "lr=1"), "expected two expressions"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    expressions: tuple[str, ...], message: str, study: Path, run_runs: Command
) -> None:
    run_runs("compare", "--group", *expressions, "--in", str(study)).assert_refused(message)
