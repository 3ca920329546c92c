"""The results table, from a made-up outputs folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from digitrec.config.schema import CONF_DIR
from scripts.measure.results import main
from tests.command import Outcome

SCRIPT = CONF_DIR.parent / "scripts" / "results"
PUBLISHED = {
    "model=cnn": {"network": "default", "readme": True},
    "plain": {"system": "B", "network": "two convolutions", "published": "test 98-99 %", "show": {"test/f1": "F1"}},
    "record": {"network": "residual network", "published": "99.83%", "ensemble": "99.87%"},
    "finetune": {"network": "two convolutions", "given": ["init_from"]},
}
CONFIG = {"seed": 0, "model": {"dropout": 0.0, "hidden": 128}, "trainer": {"max_epochs": 10}, "data": {"root": None}}
README = "# Title\n\n<!-- results -->\nold\n<!-- /results -->\n\nafter | all\n"


class Checkout:
    """A folder with README.md, docs/published.yaml and runs."""

    def __init__(self, root: Path, run_main: Callable[..., Outcome]) -> None:
        self.root, self.run_main = root, run_main
        self.count = 0
        (root / "docs").mkdir()
        (root / "README.md").write_text(README, encoding="utf-8")
        (root / "docs" / "published.yaml").write_text(yaml.safe_dump(PUBLISHED, sort_keys=False), encoding="utf-8")

    def write(self, name: str, content: Any) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content) if file.suffix == ".json" else yaml.safe_dump(content), encoding="utf-8")

    def run(self, *overrides: str, accuracy: float | None = 0.99, config: Any = CONFIG, **record: Any) -> str:
        """Leave a run as digitrec.train does, later than those before it; its folder."""
        self.count += 1
        seed = next((int(text.partition("=")[2]) for text in overrides if text.startswith("seed=")), 42)
        folder = f"outputs/train/run{self.count}"
        metrics = {"val/accuracy": 0.98, "test/f1": 0.97} | ({} if accuracy is None else {"test/accuracy": accuracy})
        self.write(f"{folder}/.hydra/overrides.yaml", list(overrides))
        self.write(f"{folder}/.hydra/config.yaml", {**config, "seed": seed})
        chosen = dict(text.split("=") for text in overrides if text.startswith(("experiment=", "model=")))
        self.write(f"{folder}/.hydra/hydra.yaml", {"hydra": {"runtime": {"choices": {"model": "cnn", **chosen}}}})
        self.write(f"{folder}/metrics.json", metrics | {"train/images_per_second": 9123.4})
        started = {"status": "finished", "command": "python -m digitrec.train", "start": f"2026-01-01T{self.count:02}"}
        machine = {"device_name": "A CPU", "threads": 2, "precision": "32-true", "git_revision": "a" * 40 + "-dirty"}
        described = {"seed": seed, "parameters": 225034, "data": "mnist", "duration_s": 70.0, **machine}
        self.write(f"{folder}/run.json", started | described | record)
        return folder

    def evaluation(
        self, *checkpoints: str, accuracy: float, tta: str = "none", overrides: tuple[str, ...] = ()
    ) -> None:
        self.count += 1
        folder = f"outputs/evaluate/run{self.count}"
        record = {"status": "finished", "start": f"2026-01-01T{self.count:02}", "duration_s": 5.0, "data": "mnist"}
        self.write(f"{folder}/.hydra/overrides.yaml", [f"checkpoint=[{','.join(checkpoints)}]", *overrides])
        self.write(f"{folder}/metrics.json", {"test/accuracy": accuracy})
        self.write(f"{folder}/run.json", record | {"checkpoints": checkpoints, "tta": tta, "parameters": 1170})

    def results(self, *arguments: str, code: int | None = None) -> Outcome:
        return self.run_main(main, "--root", str(self.root), *arguments, code=code)

    def row(self, name: str) -> dict[str, str]:
        """The cells of the summary's row whose first cell ends with `name`, by column, made anew."""
        self.results(code=0)
        lines = [line for line in self.page().partition("##")[0].splitlines() if line.startswith("|")]
        head, _, *body = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
        (cells,) = [cells for cells in body if cells[0].endswith(name)]
        return dict(zip(head, cells, strict=True))

    def accuracy(self, name: str = "`plain`") -> str:
        return self.row(name)["test accuracy"].partition(",")[0]

    def readme(self) -> str:
        return (self.root / "README.md").read_text(encoding="utf-8")

    def page(self) -> str:
        return (self.root / "docs" / "RESULTS.md").read_text(encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path, run_main: Callable[..., Outcome]) -> Checkout:
    return Checkout(tmp_path, run_main)


def test_a_row_holds_mean_and_sample_standard_deviation_over_seeds(checkout: Checkout) -> None:
    accuracies = [0.9904, 0.9913, 0.9871, 0.9899]
    for seed, accuracy in enumerate(accuracies, start=1):
        checkout.run("experiment=plain", f"seed={seed}", accuracy=accuracy, duration_s=60.0 + seed)
    percent = 100 * np.array(accuracies)
    row = checkout.row("`plain`")
    assert row["test accuracy"] == f"{percent.mean():.2f}% ± {percent.std(ddof=1):.2f} (4), F1 97.00% ± 0.00 (4)"
    assert row["published"] == "test 98-99 %"
    assert row["validation"] == "98.00% ± 0.00 (4)"
    assert (row["parameters"], row["epochs"], row["time"]) == ("225,034", "10", "61 s, A CPU")
    assert row["command"] == "`scripts/train -m experiment=plain seed=1,2,3,4`"


def test_one_seed_has_no_deviation_and_no_runs_no_figures(checkout: Checkout) -> None:
    checkout.run("model=cnn", "seed=7", accuracy=0.994)
    row = checkout.row("`model=cnn`")
    assert (row["test accuracy"], row["command"]) == ("99.40% (1)", "`scripts/train model=cnn seed=7`")
    assert checkout.accuracy() == "not run yet"


def test_rows_stand_in_the_order_of_the_file_and_the_readme_has_those_that_are_marked(checkout: Checkout) -> None:
    for name in ("experiment=record", "experiment=plain", "model=cnn"):
        checkout.run(name, "seed=1")
    checkout.results(code=0)
    page, text = checkout.page(), checkout.readme()
    assert page.index("`model=cnn`") < page.index("`plain`") < page.index("`record`") < page.index("`finetune`")
    assert "| default, `model=cnn` | 99.00% (1) | 225,034 | 70 s, A CPU | `scripts/train model=cnn seed=1` |" in text
    assert "plain" not in text
    before, after = README.split("old\n")
    assert text.startswith(before)
    assert text.endswith(after)


HARMLESS = [
    *("data.root=/data", "hydra.run.dir=x", "hydra/launcher=joblib", "report=false"),
    *("logger=none", "+logger.csv.name=a", "callbacks.progress.refresh_rate=1"),
]
HARMFUL = [
    *("optimizer.lr=0.1", "+trainer.max_steps=5", "~callbacks.ema", "data.rootless=1", "init_from=x"),
    *("callbacks=[default,ema]", "data=digits", "model=mlp", "debug=limit"),
]
OTHER = {**CONFIG, "init_from": None, "extra": {"new": False}}


@pytest.mark.parametrize(
    ("more", "accuracy"),
    [
        ([((override,), {}) for override in HARMLESS], "99.00% ± 0.00 (8)"),
        ([((override,), {"accuracy": 0.5}) for override in HARMFUL], "99.00% (1)"),
        ([((), {"status": status}) for status in ("running", "failed", "interrupted")], "99.00% (1)"),
        ([((), {"accuracy": None})], "99.00% (1)"),
        ([((), {"config": OTHER})], "99.00% ± 0.00 (2)"),  # a knob that was added and is off
    ],
    ids=["harmless settings", "other settings", "unfinished", "untested", "a new knob"],
)
def test_runs_of_the_same_settings_count(checkout: Checkout, more: list[Any], accuracy: str) -> None:
    checkout.run("experiment=plain", "seed=0")
    for seed, (overrides, options) in enumerate(more, start=1):
        checkout.run("experiment=plain", f"seed={seed}", *overrides, **options)
    assert checkout.accuracy() == accuracy
    assert "50.00" not in checkout.page()


def test_the_newest_run_of_a_seed_counts(checkout: Checkout) -> None:
    for month, accuracy in ((3, 0.97), (2, 0.96)):
        checkout.run("experiment=plain", "seed=1", accuracy=accuracy, start=f"2026-0{month}-01")
    assert checkout.accuracy() == "97.00% (1)"


def test_a_setting_that_the_experiment_leaves_open_is_let_through(checkout: Checkout) -> None:
    for seed, source in enumerate("ab", start=1):
        given = (f"init_from=outputs/train/{source}", f"seed={seed}")
        checkout.run("experiment=finetune", *given, config={**CONFIG, "init_from": source})
    checkout.write("conf/experiment/finetune.yaml", {"init_from": "???", "trainer": {"max_epochs": 10}})
    row = checkout.row("`finetune`")
    assert "(2)" in row["test accuracy"]
    assert row["command"] == "`scripts/train -m experiment=finetune init_from=... seed=1,2`"


def test_damaged_and_foreign_folders_are_left_out(checkout: Checkout) -> None:
    checkout.run("experiment=plain", "seed=1")
    checkout.write("outputs/train/foreign/run.json", ["a list"])
    checkout.write("outputs/train/other/run.json", {"status": "finished"})
    checkout.write("outputs/train/other/metrics.json", {"test/accuracy": 0.5})
    for seed, damaged in enumerate(("metrics.json", ".hydra/overrides.yaml"), start=6):
        (checkout.root / checkout.run("experiment=plain", f"seed={seed}") / damaged).write_text("[", "utf-8")
    (checkout.root / "outputs" / "train" / "empty").mkdir()
    assert checkout.accuracy() == "99.00% (1)"


@pytest.mark.parametrize(
    ("record", "config", "named"),
    [
        ({"parameters": 5}, CONFIG, "parameters"),
        ({"data_checksum": "other"}, CONFIG, "data_checksum"),
        ({}, {**CONFIG, "trainer": {"max_epochs": 3}}, "trainer.max_epochs"),
    ],
)
def test_runs_of_an_older_recipe_are_not_mixed_in(
    checkout: Checkout, record: dict[str, Any], config: Any, named: str
) -> None:
    checkout.run("experiment=plain", "seed=1", accuracy=0.5, config=config, **record)
    checkout.run("experiment=plain", "seed=2", accuracy=0.99)
    assert checkout.results(code=0).err == f"plain: left out 1 runs of another recipe ({named})\n"
    assert checkout.accuracy() == "99.00% (1)"


def test_runs_from_before_a_change_of_the_experiment_do_not_stand_for_it(checkout: Checkout) -> None:
    checkout.run("experiment=plain", "seed=1", accuracy=0.99)
    checkout.run("experiment=plain", "seed=2", accuracy=0.98, config={**CONFIG, "trainer": {"max_epochs": 20}})
    checkout.run("experiment=record", "seed=1")
    changed = {"defaults": [{"override /model": "cnn"}], "seed": 1, "model": {"hidden": 128, "dropout": 0.0}}
    for epochs, expected in ((10, "99.00% (1)"), (20, "98.00% (1)"), (100, "not run yet")):
        checkout.write("conf/experiment/plain.yaml", {**changed, "trainer": {"max_epochs": epochs}})
        assert checkout.accuracy() == expected
    assert checkout.results().err == "plain: left out 2 runs of another recipe (trainer.max_epochs)\n"


def test_an_experiment_without_a_row_is_named(checkout: Checkout) -> None:
    checkout.run("experiment=plain", "seed=1")
    checkout.run("experiment=mine", "seed=1")
    assert checkout.results().err == "mine: left out 1 runs, it has no row in docs/published.yaml\n"


def test_an_ensemble_of_one_experiment_has_a_row(checkout: Checkout) -> None:
    members = [checkout.run("experiment=record", f"seed={seed}") for seed in (1, 2)]
    elsewhere = [f"/elsewhere/{members[0]}/checkpoints/best.ckpt", members[1]]
    checkout.evaluation(*members, accuracy=0.5)
    checkout.evaluation(*members, accuracy=0.9975)
    checkout.evaluation(*elsewhere, accuracy=0.9981, tta="small")
    row = checkout.row("ensemble of 2 + TTA small")
    assert (row["test accuracy"], row["published"], row["parameters"]) == ("99.81%", "99.87%", "1,170")
    assert checkout.accuracy("ensemble of 2") == "99.75%"
    assert "| ensemble of 2 + TTA small |" in checkout.page()


def test_other_evaluations_have_no_row(checkout: Checkout) -> None:
    one, two = (checkout.run("experiment=record", f"seed={seed}") for seed in (1, 2))
    other = checkout.run("experiment=plain", "seed=1")
    changed = checkout.run("experiment=record", "seed=3", "optimizer.lr=1")
    for members in ((one,), (one, one), (one, other), (one, changed)):
        checkout.evaluation(*members, accuracy=0.5)
    checkout.evaluation(one, two, accuracy=0.5, overrides=("tta.shift=2",))
    checkout.results(code=0)
    assert "ensemble" not in checkout.readme()
    assert "50.00" not in checkout.page()


def test_the_page_lists_every_run_with_what_made_it(checkout: Checkout) -> None:
    checkout.run("experiment=plain", "seed=2", command="python -m digitrec.train 'a|b'")
    checkout.run("experiment=plain", "seed=1", duration_s=600.0)
    checkout.results()
    assert "\n## B: two convolutions, `plain`\n" in checkout.page()
    first, second = [line for line in checkout.page().splitlines() if line.startswith(("| 1 |", "| 2 |"))]
    figures = "| 98.00% | 99.00% | 97.00% | 10 |"
    machine = "| 9,123 | A CPU | 2 | 32-true | aaaaaaaaaa-dirty |"
    assert first == f"| 1 {figures} 10 min {machine} `python -m digitrec.train` |"
    assert second == f"| 2 {figures} 70 s {machine} `python -m digitrec.train 'a\\|b'` |"


def test_a_second_time_changes_nothing_and_check_tells(checkout: Checkout) -> None:
    checkout.run("experiment=plain", "seed=1")
    stale = checkout.results("--check")
    assert (stale.code, stale.err) == (1, "out of date: README.md, RESULTS.md, runs.jsonl; run scripts/results\n")
    assert checkout.readme() == README
    checkout.results()
    made = checkout.readme(), checkout.page()
    assert checkout.results("--check") == Outcome(0, "", "")
    checkout.results()
    assert (checkout.readme(), checkout.page()) == made
    checkout.run("experiment=plain", "seed=2", accuracy=0.9)
    assert checkout.results("--check").code == 1


def test_a_run_that_is_gone_still_counts_and_a_new_one_of_its_seed_replaces_it(checkout: Checkout) -> None:
    members = [checkout.run("experiment=record", f"seed={seed}", accuracy=0.99, host="mine", pid=7) for seed in (1, 2)]
    checkout.evaluation(*(f"/somewhere/else/{folder}" for folder in members), accuracy=0.995)
    checkout.results(code=0)
    readme, page = checkout.readme(), checkout.page()
    shutil.rmtree(checkout.root / "outputs")
    checkout.results(code=0)
    assert (checkout.readme(), checkout.page()) == (readme, page)
    kept = (checkout.root / "docs" / "runs.jsonl").read_text(encoding="utf-8")
    assert len(kept.splitlines()) == 3
    assert not any(word in kept for word in ("somewhere", "host", "pid"))
    checkout.run("experiment=record", "seed=2", accuracy=0.98)
    assert checkout.accuracy("`record`").startswith("98.50%")
    assert len((checkout.root / "docs" / "runs.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_the_newest_benchmark_gives_the_speed_table(checkout: Checkout) -> None:
    checkout.run("model=cnn")
    page = checkout.root / "docs" / "SPEED.md"
    page.write_text("# Speed\n<!-- speed -->\nold\n<!-- /speed -->\nlast\n", encoding="utf-8")
    machine = {"device_name": "A CPU", "threads": 2, "torch": "2.0", "date": "2026-01-01"}
    for day, text in (("01", "0.90 x"), ("02", "0.97 x")):
        row = {"title": "training", "text": text, "goal": "at least 0.95 x", "met": True}
        checkout.write(f"outputs/benchmark/2026-01-{day}/benchmark.json", {"machine": machine, "rows": [row]})
    checkout.results(code=0)
    text = page.read_text(encoding="utf-8")
    assert "| training | 0.97 x | at least 0.95 x |" in text
    assert "on A CPU, 2 threads, torch 2.0, 2026-01-01" in text
    assert text.endswith("<!-- /speed -->\nlast\n")
    assert "old" not in text


@pytest.mark.parametrize("marker", ["<!-- results -->", "<!-- /results -->"])
def test_a_missing_marker_is_named_and_nothing_written(checkout: Checkout, marker: str) -> None:
    checkout.run("experiment=plain", "seed=1")
    (checkout.root / "README.md").write_text(README.replace(marker, ""), encoding="utf-8")
    needed = "README.md needs the lines <!-- results --> and <!-- /results --> where the table belongs"
    assert checkout.results(code=1).err == f"error: {needed}\n"
    assert not (checkout.root / "docs" / "RESULTS.md").exists()


def test_without_any_run_the_table_is_not_wiped(checkout: Checkout) -> None:
    assert "holds no finished run" in checkout.results(code=1).err
    assert checkout.readme() == README


def test_the_script_starts_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "scripts" / "measure").mkdir(parents=True)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name in ("results", "measure/results.py"):
        shutil.copy(SCRIPT.parent / name, tmp_path / "scripts" / name)
    setup = tmp_path / "scripts" / "setup"
    setup.write_text("#!/bin/sh\n", encoding="utf-8")
    setup.chmod(0o755)
    done = subprocess.run([tmp_path / "scripts" / "results", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: scripts/results")
