"""A run is repeated to the last bit, and every difference is reported."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from digitrec import train
from digitrec.models.checkpoint_file import read_checkpoint, write_checkpoint
from digitrec.run_folder.repetition import circumstances, differing_metrics, differing_weights
from tests.command import QUICK, Command, contents, only_run, read_json, run_in

TINY = (*QUICK, "model=mlp", "model.hidden=[8]", "data.limit=200", "hydra.run.dir=old")
RECORD = {
    "git_revision": "a1",
    "versions": {"torch": "2.15.0", "python": "3.11.7"},
    "device": "cpu",
    "device_name": "AMD EPYC",
    "threads": 1,
    "processes": 1,
    "precision": "32-true",
    "data_checksum": "c0",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with settings that are not the usual ones, trained once for all tests here."""
    folder = tmp_path_factory.mktemp("trained")
    settings = ("optimizer=sgd", "seed=7", "augmentation=strong", "callbacks=[default,ema]", "tags=[mine]")
    assert run_in(folder, train.main, *TINY, *settings) == 0
    return folder / "old"


@pytest.fixture
def old(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be repeated."""
    return Path(shutil.copytree(trained, tmp_path / "old"))


def edited(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(read_json(file) | changes))


def test_a_rerun_is_identical_and_says_so(old: Path, run_train: Command, tmp_path: Path) -> None:
    before = contents(old)
    again = run_train("rerun=old", code=0)
    assert again.out.splitlines()[-1].startswith("rerun: identical with old: every metric, every weight")
    run = only_run(tmp_path)
    record = read_json(run / "run.json")
    assert (record["rerun_of"], record["rerun_identical"], record["rerun_differences"]) == ("old", True, [])
    assert (record["seed"], record["tags"]) == (7, ["mine"])
    assert read_json(run / "metrics.json")["test/loss"] == read_json(old / "metrics.json")["test/loss"]
    assert contents(old) == before
    assert "sgd" in (run / ".hydra" / "overrides.yaml").read_text()
    assert "optimizer: sgd" in (run / ".hydra" / "hydra.yaml").read_text()
    assert "_rerun-old-" in run.name


def test_differences_are_reported_with_their_size(old: Path, run_train: Command, tmp_path: Path) -> None:
    edited(old / "metrics.json", **{"test/loss": read_json(old / "metrics.json")["test/loss"] + 0.5})
    last = old / "checkpoints" / "last.ckpt"
    content = read_checkpoint(last)
    content["state_dict"]["head.0.bias"][3] += 0.25
    write_checkpoint(content, last)
    edited(old / "run.json", git_revision="abc", threads=64, data_checksum="c0")
    again = run_train("rerun=old", "note=on the new machine", "hydra.run.dir=new", code=0)
    report = again.out[again.out.index("rerun: NOT identical with old") :].splitlines()
    assert len(report) == 3
    assert report[1].startswith("  test/loss: ")
    assert report[1].endswith("(-0.5)")
    assert "1 of" in report[2]
    assert report[2].endswith("values differ, by 0.25 at most")
    for circumstance in ("code: abc then", "threads: 64 then", "data checksum: c0 then"):
        assert [circumstance in line for line in again.err.splitlines()].count(True) == 1
    record = read_json(tmp_path / "new" / "run.json")
    assert (record["rerun_identical"], len(record["rerun_differences"])) == (False, 2)
    assert record["note"] == "on the new machine"


def test_without_the_old_weights_the_metrics_decide(old: Path, run_train: Command) -> None:
    (old / "checkpoints" / "last.ckpt").unlink()
    assert "rerun: identical with old: every metric; there are no weights" in run_train("rerun=old").out


def test_an_unfinished_run_cannot_be_compared(old: Path, run_train: Command, tmp_path: Path) -> None:
    edited(old / "run.json", status="failed")
    again = run_train("rerun=old")
    assert (again.code, "cannot be compared: old is failed" in again.out) == (0, True)
    assert read_json(only_run(tmp_path) / "run.json")["rerun_identical"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rerun=nowhere",), "rerun=nowhere: no run in this folder"),
        (("rerun=run/checkpoints/last.ckpt",), "did you mean run?"),
        (("rerun=run", "seed=3"), "seed=3: rerun=run takes every setting from that run"),
        (("++rerun=run", "model=cnn"), "model=cnn: rerun=run takes every setting from that run"),
        (("rerun=run", "resume=run"), "resume=run: rerun=run takes every setting from that run"),
        (("rerun=run", "hydra.run.dir=run"), "run holds a run already"),
        (("-m", "rerun=run"), "rerun=run: a sweep can't repeat a run"),
        (("rerun=damaged",), "rerun=damaged: .hydra/config.yaml, the run's settings, is missing or damaged"),
    ],
)
def test_runs_that_cannot_be_repeated_are_refused(
    arguments: tuple[str, ...], message: str, run_train: Command, tmp_path: Path
) -> None:
    for name in ("run", "damaged"):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / "run.json").write_text('{"status": "finished"}')
    (tmp_path / "run" / ".hydra" / "config.yaml").write_text("run_dir: x\nresume: null\n")
    (tmp_path / "damaged" / ".hydra" / "config.yaml").write_text("a: [b")
    run_train(*arguments).assert_refused(message)
    assert not list(tmp_path.glob("outputs/train/*"))


@pytest.mark.parametrize("content", ["", "not JSON", '{"status": "\udcff"}'])
@pytest.mark.parametrize("option", ["rerun", "resume"])
def test_a_damaged_record_is_named_alike_by_path_and_by_part_of_a_name(
    option: str, content: str, run_train: Command, tmp_path: Path
) -> None:
    run = tmp_path / "outputs" / "train" / "cnn-3f2a"
    run.mkdir(parents=True)
    (run / "run.json").write_bytes(content.encode(errors="surrogateescape"))
    for name in ("outputs/train/cnn-3f2a", "3f2a"):
        refused = run_train(f"{option}={name}")
        refused.assert_refused("outputs/train/cnn-3f2a/run.json: damaged (not ", "start the run anew", code=1)
    assert list(tmp_path.glob("outputs/*/*")) == [run]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"git_revision": None}, ["code: a1 then, outside a checkout now"]),
        (
            {"versions": {"torch": "2.16", "python": "3.11.7", "new": "1"}},
            ["versions: torch 2.15.0 then, torch 2.16 now"],
        ),
        ({"device": "cuda:0", "threads": 2}, ["device: cpu then, cuda:0 now", "threads: 1 then, 2 now"]),
        ({"data_checksum": "c1"}, ["data checksum: c0 then, c1 now"]),
    ],
)
def test_each_circumstance_that_differs_is_a_line(changes: dict[str, object], lines: list[str]) -> None:
    assert circumstances(RECORD, RECORD | changes) == lines
    assert circumstances({}, RECORD | {"git_revision": None}) == []


def test_uncommitted_changes_may_be_others_than_then() -> None:
    (line,) = circumstances(RECORD | {"git_revision": "a1-dirty"}, RECORD | {"git_revision": "a1-dirty"})
    assert "uncommitted changes both times" in line


def test_speed_is_no_result_and_numbers_that_are_none_are_equal() -> None:
    then = {"train/images_per_second": 1.0, "val/r2": None, "val/loss": 0.5, "old": 1.0}
    assert differing_metrics(then, {"train/images_per_second": 2.0, "val/r2": float("nan"), "val/loss": 0.5}) == [
        "old: 1.0 then, none now"
    ]


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (lambda weights: weights, ""),
        (lambda weights: weights + torch.tensor([0.0, 1.0, 0.0]), "1 of 4 values differ, by 1 at most"),
        (lambda weights: -weights, "3 of 4 values differ, by 0 at most"),  # signs of zero and of no number
        (lambda weights: torch.zeros(5), "by inf at most"),
        (lambda weights: weights.double(), "3 of 4 values differ, by 0 at most"),
    ],
)
def test_weights_are_compared_bit_by_bit(
    change: Callable[[torch.Tensor], torch.Tensor], end: str, tmp_path: Path
) -> None:
    weights = torch.tensor([0.0, 0.0, float("nan")])
    for name, values in (("then", weights), ("now", change(weights))):
        write_checkpoint({"state_dict": {"a": values, "b": torch.tensor(3)}}, tmp_path / name)
    (line,) = differing_weights(tmp_path / "then", tmp_path / "now") or ("",)
    assert line.endswith(end)
    assert bool(line) == bool(end)
