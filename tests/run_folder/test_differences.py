from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from digitrec.run_folder.composition import same_settings
from digitrec.run_folder.differences import differing, recipe, unlike
from digitrec.run_folder.groups import grouped
from digitrec.run_folder.run import Run


def run(**settings: Any) -> Run:
    """A run with settings by names with double underscores for dots."""
    plain = {"model": "mlp", "optimizer": "adamw", "optimizer.lr": 0.003, "run_dir": "somewhere"}
    return Run(Path("x"), "finished", settings=plain | {key.replace("__", "."): it for key, it in settings.items()})


def test_equal_runs_and_single_ones_differ_in_nothing() -> None:
    assert differing([]) == differing([run()]) == differing([run(), run()]) == []


def test_seeds_and_circumstances_are_no_difference() -> None:
    assert differing([run(seed=1, compile=True, run_dir="a"), run(seed=2, compile=False, run_dir="b")]) == []


def test_what_follows_from_the_option_is_left_out() -> None:
    runs = [run(model="cnn", model__filters=[32]), run(model__hidden=[64])]
    assert differing(runs) == ["model"]
    again = run(model="cnn", model__filters=[16])
    assert differing([*runs, again]) == ["model", "model.filters"]


def test_what_was_given_stays() -> None:
    runs = [run(optimizer="sgd", optimizer__lr=0.1), run()]
    assert differing(runs) == ["optimizer"]
    given = [replace(runs[0], overridden=frozenset({"optimizer", "optimizer.lr"})), runs[1]]
    assert differing(given) == ["optimizer", "optimizer.lr"]


def test_what_an_experiment_sets_follows_from_it() -> None:
    runs = [run(experiment="best", optimizer__lr=0.01, model="cnn"), run(optimizer__lr=0.1)]
    assert differing(runs) == ["experiment"]
    other = run(optimizer__lr=0.2)
    assert set(differing([*runs, other])) == {"experiment", "optimizer.lr"}


def test_a_setting_that_one_lacks_is_a_difference() -> None:
    assert differing([run(), run(optimizer__nesterov=True)]) == ["optimizer.nesterov"]


@pytest.mark.parametrize("value", [None, False, 0])
def test_a_setting_that_an_earlier_version_lacks_is_off_in_it(value: object) -> None:
    then, now = run(), run(data__new=value)
    assert differing([then, now]) == []
    assert unlike(then, now) == {}
    assert len(grouped([then, now], "val/accuracy")) == 1
    assert differing([then, now, run(data__new=2)]) == ["data.new"]
    assert differing([run(data__new=1), run(data__new=value)]) == ["data.new"]


def test_a_class_of_ours_is_the_same_wherever_it_lies() -> None:
    then, now, own = (
        run(model___target_=f"{place}.CNN") for place in ("digitrec.models.cnn", "digitrec.models", "own")
    )
    assert differing([then, now]) == []
    assert unlike(then, now) == {}
    assert recipe(then) == recipe(now)
    assert "model._target_" in unlike(now, own)


def test_recipes_are_equal_up_to_the_seed() -> None:
    assert recipe(run(seed=1)) == recipe(run(seed=2))
    assert recipe(run(optimizer__lr=0.1)) != recipe(run(optimizer__lr=0.2))


def test_two_runs_are_unlike_in_all_that_decides_and_in_their_seed() -> None:
    a, b = run(seed=1, model="cnn", model__filters=[32], compile=True), run(seed=2)
    assert unlike(a, b) == {"model": ("cnn", "mlp"), "model.filters": ([32], None), "seed": (1, 2)}
    assert unlike(a, a) == {}
    assert unlike(b, a) == {name: (y, x) for name, (x, y) in unlike(a, b).items()}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"tags": ["a"], "resume": "auto"}, True),
        ({"data": {"limit": None, "skip_damaged": False}}, True),
        ({"data": {"limit": None, "skip_damaged": True}}, False),
        ({"data": {"limit": 5}}, False),
        ({"callbacks": {"ema": {"_target_": "digitrec.b.Pictures"}}}, True),
        ({"callbacks": {"ema": {"_target_": "digitrec.a.Others"}}}, False),
        ({"seed": 2}, False),
    ],
)
def test_an_earlier_version_s_composition_may_lack_what_is_off(change: dict[str, Any], same: bool) -> None:
    earlier = {"seed": 1, "data": {"limit": None}, "callbacks": {"ema": {"_target_": "digitrec.a.Pictures"}}}
    assert same_settings(OmegaConf.create(earlier), OmegaConf.create(earlier | change)) is same
