"""The experiment that a search leaves composes to what its trial was."""

import shlex
from pathlib import Path

import pytest
import yaml

from digitrec.tune.recipe import write_recipe
from tests.command import Command

GROUPS = dict.fromkeys(("model", "data", "optimizer", "scheduler", "augmentation", "callbacks", "experiment"))


@pytest.mark.parametrize(
    ("fixed", "found"),
    [
        (["model=mlp", "data=digits", "trainer.max_epochs=3"], {"optimizer.lr": 1e-05, "model.hidden": "[8,4]"}),
        (["augmentation=[affine]", "callbacks=[default,ema]"], {"scheduler": "cosine", "callbacks.ema.decay": 0.9}),
        (["experiment=mlp_best", "data.val_size=5000"], {"augmentation.affine.degrees": 3, "label_smoothing": 0.1}),
        (["note='a\nb # c: d'"], {"optimizer.lr": 0.1}),
        (["+trainer.max_time=null", "data.root='/some where'", "optimizer=sgd"], {"optimizer.nesterov": False}),
    ],
)  # fmt: skip
def test_the_experiment_composes_to_what_the_trial_was(
    fixed: list[str], found: dict[str, str | float | bool], run_train: Command, tmp_path: Path
) -> None:
    file = write_recipe(tmp_path, ["a note", shlex.join(fixed)], fixed, found, GROUPS)
    assert file.read_text().startswith("# @package _global_\n# a note\n")
    turned = [f"{name}={str(value).lower()}" for name, value in found.items()]
    direct = run_train(*fixed, *turned, "--cfg", "job")
    recipe = run_train(f"--config-dir={tmp_path}/conf", "experiment=best", "--cfg", "job")
    assert (direct.code, recipe.code) == (0, 0), direct.err + recipe.err
    assert yaml.safe_load(recipe.out) == yaml.safe_load(direct.out)


def test_lists_and_small_numbers_are_written_as_people_write_them(tmp_path: Path) -> None:
    found = {"model.hidden": "[8,4]", "optimizer.eps": 1e-08}
    text = write_recipe(tmp_path, [], [], found, GROUPS).read_text()
    assert text == "# @package _global_\nmodel:\n  hidden: [8, 4]\noptimizer:\n  eps: 1.0e-08\n"
