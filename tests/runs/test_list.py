import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Command, read_json
from tests.made_runs import make_run

HEAVY = ("torch", "lightning", "hydra", "omegaconf", "tensorboard", "matplotlib")
CHECKED = f"""
import sys
from digitrec.runs.__main__ import main
try:
    main()
finally:
    assert not set({HEAVY}) & set(sys.modules), set({HEAVY}) & set(sys.modules)
"""
MEASURED = """
import os
from digitrec.runs.__main__ import main
try:
    main()
finally:
    print(sum(os.times()[:2]))
"""


def rows(text: str) -> list[list[str]]:
    """Cells of the lines below the rule."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("─")) + 1
    return [line.split() for line in lines[start:]]


def test_real_runs_are_listed_with_what_differs_the_best_first(run_runs: Command, trained: Path) -> None:
    outcome = run_runs("list", str(trained))
    assert outcome.code == 0, outcome.err
    assert not outcome.err
    head = outcome.out.splitlines()[1].split()
    assert head[:6] == ["run", "status", "optimizer", "lr", "limit", "max_epochs"]
    assert head[6:] == ["seed", "val/accuracy", "test/accuracy", "time", "started"]
    accuracy = {name: read_json(trained / name / "metrics.json")["val/accuracy"] for name in ("one", "two")}
    best_first = sorted(accuracy, key=lambda name: -accuracy[name])
    found = rows(outcome.out)
    assert [cells[0] for cells in found[:3]] == [*best_first, "lost"]
    assert f"{accuracy['one']:.2%}" in outcome.out
    assert found[2][1] == "failed"
    assert found[3][:2] == ["lost", "failed:"]
    assert "diverged" in outcome.out


def test_nothing_said_is_a_list_of_outputs(run_runs: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "outputs" / "train" / "one", metrics={"val/accuracy": 0.5})
    assert run_runs() == run_runs("list") == run_runs("list", "outputs")
    assert "one" in run_runs("--sort", "val/accuracy").out


def test_json_and_csv_hold_every_number_at_whole_precision(run_runs: Command, trained: Path) -> None:
    entries = json.loads(run_runs("list", str(trained), "--json").out)
    table = list(csv.DictReader(io.StringIO(run_runs("list", str(trained), "--csv").out)))
    assert [entry["name"] for entry in entries] == [row["name"] for row in table]
    for entry, row in zip(entries, table, strict=True):
        assert list(entry) == [
            "name", "path", "status", "error", "progress", "seed", "start", "duration_s", "tags", "note", "settings",
            "metrics",
        ]  # fmt: skip
        if entry["status"] == "finished":
            assert entry["metrics"] == read_json(Path(entry["path"]) / "metrics.json")
            assert {name: float(row[name]) for name in entry["metrics"]} == entry["metrics"]
        assert row["optimizer.lr"] == f"{entry['settings']['optimizer.lr']:g}"


def test_what_json_cannot_hold_is_a_word(run_runs: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "outputs" / "one", metrics={}, optimizer__lr=float("inf"))
    (entry,) = json.loads(run_runs("list", "--json").out, parse_constant=pytest.fail)
    assert entry["settings"]["optimizer.lr"] == "inf"


def test_no_runs_are_a_note_and_empty_documents(run_runs: Command, tmp_path: Path) -> None:
    outcome = run_runs("list")
    assert (outcome.code, outcome.out) == (0, "")
    assert "no runs below outputs; train one: " in outcome.err
    assert json.loads(run_runs("list", "--json").out) == []
    assert run_runs("list", "--csv").out == "name,path,status,error,progress,seed,start,duration_s,tags,note\n"
    make_run(tmp_path / "outputs" / "one", metrics={})
    outcome = run_runs("list", "--where", "seed=9")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "note: none of 1 run fits seed=9\n")


def test_a_group_is_the_mean_over_its_seeds(run_runs: Command, tmp_path: Path) -> None:
    for seed, accuracy in {1: 0.9, 2: 0.92, 3: 0.94}.items():
        make_run(tmp_path / "outputs" / f"low-{seed}", seed=seed, metrics={"val/accuracy": accuracy})
    make_run(tmp_path / "outputs" / "high", optimizer__lr=0.1, metrics={"val/accuracy": 0.95})
    outcome = run_runs("list", "--group")
    high, low = rows(outcome.out)
    assert high == ["0.1", "1", "95.00%", "(1)", "best"]
    assert low == ["0.003", "1-3", "92.00%", "±", "2.00", "(3)"]
    first, second = json.loads(run_runs("list", "--group", "--json").out)
    assert (first["n"], first["metrics"]["val/accuracy"]["std"]) == (1, None)
    assert (second["seeds"], second["metrics"]["val/accuracy"]["mean"]) == ([1, 2, 3], pytest.approx(0.92))


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("--where", "modle=cnn"), "did you mean model"),
        (("--where", "val/accuracy>good"), "expected a number"),
        (("--sort", "val/acuracy"), "did you mean val/accuracy"),
        (("--limit", "-2"), "expected a whole number, 0 or above, got -2"),
        (("elsewhere",), "elsewhere: no such folder"),
        (("--sortt", "x"), "unrecognized arguments"),
        (("--json", "--csv"), "not allowed with"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], answer: str, run_runs: Command, tmp_path: Path
) -> None:
    make_run(tmp_path / "outputs" / "one", metrics={"val/accuracy": 0.5})
    outcome = run_runs("list", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert answer in line


def test_a_thousand_runs_take_less_than_two_seconds(tmp_path: Path) -> None:
    for number in range(1000):
        accuracy = {f"{stage}/{name}": number / 1000 for stage in ("train", "val", "test") for name in "abcdef"}
        make_run(
            tmp_path / "outputs" / "train" / f"run-{number:04}",
            seed=number % 5,
            optimizer__lr=number * 1e-5,
            metrics={"val/accuracy": number / 1000} | accuracy,
        )
    command = [sys.executable, "-c", MEASURED, "list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    *lines, seconds = done.stdout.splitlines()
    assert len(lines) == 1003
    assert lines[3].startswith("run-0999")
    assert float(seconds) < 2  # of the processor, whatever else it has to do; about 0.8 on a slow one


@pytest.mark.parametrize("command", [("list",), ("best",), ("prune", "--older-than", "1d"), ("best", "--json")])
def test_nothing_heavy_is_imported(command: tuple[str, ...], tmp_path: Path) -> None:
    make_run(tmp_path / "outputs" / "one", metrics={"val/accuracy": 0.5})
    arguments = [sys.executable, "-c", CHECKED, *command]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_data_sets_are_ranked_apart_and_the_best_row_of_each_is_marked(run_runs: Command, tmp_path: Path) -> None:
    for number, data in enumerate(["mnist", "digits", "digits", "mnist", "mnist"]):
        record = {"data": data, "start": f"2026-11-2{number}T10:00:00+00:00"}
        folder, accuracy = tmp_path / "outputs" / f"{data}{number}", 0.9 - number / 10
        make_run(folder, metrics={"val/accuracy": accuracy}, record=record, choices={"data": data})
    outcome = run_runs("list", "--metrics", "val/accuracy")
    assert "5 runs of 2 data sets, the best by val/accuracy first" in outcome.out
    marked = [(cells[0], "best" in cells) for cells in rows(outcome.out)]
    assert marked == [
        ("mnist:", False), ("mnist0", True), ("mnist3", False), ("mnist4", False),
        ("digits:", False), ("digits1", True), ("digits2", False),
    ]  # fmt: skip
    assert [entry["name"] for entry in json.loads(run_runs("list", "--limit", "1", "--json").out)] == [
        "mnist0", "digits1",
    ]  # fmt: skip
    assert "best" not in run_runs("list", "--where", "name=mnist0").out.splitlines()[-1]
    best = run_runs("best", "--print-path")
    assert best.out == "outputs/mnist0\n"
    assert best.err == "note: runs of 2 data sets do not compare; this one is of mnist: choose with --where data=...\n"
    assert not run_runs("best", "--where", "data=digits").err
    kept = json.loads(run_runs("prune", "--keep-best", "1", "--json").out)
    assert {entry["name"] for entry in kept} == {"mnist3", "mnist4", "digits2"}


def test_an_interrupted_run_shows_the_best_it_reached_and_is_not_the_best(run_runs: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "outputs" / "whole", metrics={"val/accuracy": 0.5})
    cut_off = make_run(tmp_path / "outputs" / "cut-off", status="interrupted")
    (cut_off / "history.csv").write_text("epoch,val/accuracy,val/loss\n1,0.9,0.2\n2,0.8,0.1\n")
    whole, cut = rows(run_runs("list", "--metrics", "val/accuracy").out)
    assert (whole[0], cut[:5]) == ("whole", ["cut-off", "interrupted", "2/10", "1", "90.00%"])
    assert run_runs("best", "--print-path").out == "outputs/whole\n"


def test_lists_are_sorted_by_settings_too(run_runs: Command, tmp_path: Path) -> None:
    for name, lr in (("a", 0.1), ("b", None), ("c", 0.02)):
        make_run(tmp_path / "outputs" / name, metrics={"lr": 0.5, "val/accuracy": 0.5}, optimizer__lr=lr)
    by_lr = run_runs("list", "--sort", "lr")
    assert [cells[0] for cells in rows(by_lr.out)] == ["c", "a", "b"]
    assert by_lr.out.startswith("3 runs, by optimizer.lr\n")


def test_nothing_is_cut_where_the_output_is_no_terminal(run_runs: Command, tmp_path: Path) -> None:
    name = "a-very-long-name-of-a-run-" * 6
    make_run(tmp_path / "outputs" / name, metrics={"val/accuracy": 0.5})
    outcome = run_runs("list", "--metrics", "val/accuracy")
    assert name in outcome.out
    assert "\x1b" not in outcome.out


def test_long_columns_are_shortened_before_any_is_dropped(
    run_runs: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    long = "a-name-of-a-run-which-takes-almost-all-of-the-room-there-is"
    for number in (1, 2):
        make_run(tmp_path / "outputs" / f"{long}-{number}", metrics={"val/accuracy": 0.5}, optimizer__lr=number / 10)
    out = run_runs("list", "--metrics", "val/accuracy").out
    assert f"{long}-1" not in out
    assert out.count("…") == 2
    assert all(f"{long[-15:]}-{number} " in out for number in (1, 2))
    assert "seed" in out
    assert "no room" not in out


def test_a_narrow_terminal_gets_fewer_columns(
    run_runs: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    for number in (1, 2):
        make_run(
            tmp_path / "outputs" / f"run-{number}",
            metrics={"val/accuracy": 0.5},
            optimizer__lr=number / 10,
            data__batch_size=number,
            trainer__max_epochs=number,
        )
    *table, left_out = run_runs("list", "--metrics", "val/accuracy").out.splitlines()
    assert left_out.startswith("no room for ")
    assert "started" in left_out
    assert max(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[32m", "")) for line in table) <= 60


def test_folders_of_pictures_are_data_of_their_own(run_runs: Command, tmp_path: Path) -> None:
    for root in ("mine", "yours"):
        make_run(tmp_path / root, metrics={"val/accuracy": 0.9}, record={"data": "folder"}, data__root=root)
    groups = json.loads(run_runs("list", "--group", "--json", str(tmp_path), code=0).out)
    assert len(groups) == 2
    nothing = run_runs("list", str(tmp_path), "--group", "--where", "seed=99", code=0)
    assert "none of 2 runs fits" in nothing.err


def test_a_folder_may_stand_behind_expressions(run_runs: Command, tmp_path: Path) -> None:
    for name in ("here", "there"):
        make_run(tmp_path / name / "run", metrics={"val/accuracy": 0.9}, data__batch_size=32)
    listed = run_runs("list", "--json", "--where", "batch_size=32", "--", str(tmp_path / "here"), code=0)
    behind = run_runs("list", "--json", "--where", "batch_size=32", str(tmp_path / "here"), code=0)
    assert json.loads(listed.out) == json.loads(behind.out)
    assert len(json.loads(behind.out)) == 1
