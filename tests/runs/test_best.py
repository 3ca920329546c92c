import json
from pathlib import Path

from tests.command import Command, read_json
from tests.made_runs import make_run


def test_only_the_path_is_printed_of_the_run_or_its_checkpoint(run_runs: Command, trained: Path) -> None:
    loss = {name: read_json(trained / name / "metrics.json")["test/loss"] for name in ("one", "two")}
    best = trained / min(loss, key=lambda name: loss[name])
    asked = ("best", str(trained), "--metric", "test/loss")
    assert run_runs(*asked, "--print-path").out == f"{best}\n"
    assert run_runs(*asked, "--checkpoint").out == f"{best / 'checkpoints' / 'best.ckpt'}\n"
    assert json.loads(run_runs(*asked, "--json").out)["name"] == best.name
    assert len(run_runs(*asked, "--csv").out.splitlines()) == 2
    assert run_runs(*asked).out.splitlines()[-1] == str(best)


def test_a_filter_counts(run_runs: Command, trained: Path) -> None:
    for seed, name in {1: "one", 2: "two"}.items():
        assert run_runs("best", str(trained), "--where", f"seed={seed}", "--print-path").out == f"{trained / name}\n"


def test_without_any_that_has_the_metric_it_fails_and_prints_nothing(run_runs: Command, tmp_path: Path) -> None:
    assert run_runs("best", "--print-path")[:2] == (1, "")
    make_run(tmp_path / "outputs" / "one", metrics={"test/accuracy": 0.5})
    outcome = run_runs("best", "--print-path")
    assert (outcome.code, outcome.out) == (1, "")
    assert "they have test/accuracy: choose with --metric" in outcome.err
    assert run_runs("best", "--metric", "test/accuracy", "--print-path").out == "outputs/one\n"
    assert run_runs("best", "--metric", "test/accuracy", "--checkpoint").code == 1
    assert run_runs("best", "--metric", "test/acuracy").code == 2
