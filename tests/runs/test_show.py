import json
import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from digitrec.run_folder.epochs import read_epochs
from digitrec.run_folder.run import read_run
from digitrec.run_folder.settings import read_overrides, read_settings
from digitrec.runs.show import BARS, sparkline
from tests.command import Command, read_json


def test_a_run_is_shown_from_all_sides(run_runs: Command, trained: Path) -> None:
    outcome = run_runs("show", "two", "--in", str(trained))
    assert outcome.code == 0, outcome.err
    metrics = read_json(trained / "two" / "metrics.json")
    for expected in (
        str(trained / "two"),
        "hidden=[16]",
        "max_epochs=2",
        f"{metrics['test/accuracy']:.2%}",
        f"{metrics['val/loss']:.4f}",
        "checkpoints/best.ckpt",
        read_json(trained / "two" / "run.json")["command"],
    ):
        assert expected in outcome.out
    assert "none" not in outcome.out.partition("Epochs")[2]


def test_for_scripts_it_has_epochs_and_files(run_runs: Command, trained: Path) -> None:
    shown = json.loads(run_runs("show", str(trained / "two"), "--json").out)
    assert [row["epoch"] for row in shown["epochs"]] == [1, 2]
    metrics = read_json(trained / "two" / "metrics.json")
    assert metrics["val/accuracy"] in [row["val/accuracy"] for row in shown["epochs"]]
    for name, count in shown["files"].items():
        assert (trained / "two" / name).stat().st_size == count
    assert "optimizer.lr,0.003\n" in run_runs("show", str(trained / "two"), "--csv").out


def test_a_failed_run_says_why(run_runs: Command, trained: Path) -> None:
    outcome = run_runs("show", str(trained / "lost"))
    assert outcome.code == 0
    assert "diverged" in outcome.out


def test_an_unknown_run_is_one_line(run_runs: Command, trained: Path) -> None:
    outcome = run_runs("show", "twoo", "--in", str(trained))
    assert (outcome.code, outcome.err) == (2, "error: twoo: no such run, did you mean two?\n")


@given(st.lists(st.floats(-1e6, 1e6), max_size=100))
def test_a_sparkline_goes_from_the_lowest_to_the_highest(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == min(len(values), 40)
    assert set(line) <= set(BARS)
    if len(set(values)) > 1 and len(values) <= 40:
        assert line[values.index(min(values))] == BARS[0]
        assert line[values.index(max(values))] == BARS[-1]


def test_a_run_leaves_its_settings_and_epochs_as_older_versions_are_read(trained: Path, tmp_path: Path) -> None:
    run, old = trained / "two", tmp_path / "old"
    shutil.copytree(run, old)
    record = read_json(old / "run.json")
    assert record.pop("overrides") == read_overrides(old)
    assert record.pop("settings") == read_settings(old)
    (old / "run.json").write_text(json.dumps(record))
    (old / "history.csv").unlink()
    assert read_run(old).settings == read_run(run).settings
    assert read_run(old).overridden == read_run(run).overridden
    for epoch, events in zip(read_epochs(run), read_epochs(old), strict=True):
        shared = epoch.keys() & events.keys() - {"lr"}  # of a step in the events, of the epoch's end in the history
        assert {"epoch", "train/loss", "val/accuracy"} <= shared
        assert {name: epoch[name] for name in shared} == {name: events[name] for name in shared}
