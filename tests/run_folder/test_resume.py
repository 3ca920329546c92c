"""A training that was cut off goes on as if nothing had happened."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitrec.data.datasets import load
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_checkpoint
from digitrec.training.throughput import Throughput
from tests.command import Command, read_json
from tests.forked import Forked
from tests.waiting import wait_for

SETTINGS = ("data=digits", "trainer.accelerator=cpu", "data.batch_size=360", "trainer.max_epochs=3")
STEPS = 4  # of each epoch: 1,258 images are left for training
FULL = ("augmentation=affine", "callbacks=[default,ema]", "logger=[tensorboard,csv]", "trainer.log_every_n_steps=1")
UNTRAINED = (*SETTINGS, "model=mlp", "trainer.max_epochs=0", "test=false", "hydra.run.dir=run")  # all but its weights
CLOCK = "train/images_per_second"


def state(run: Path) -> dict[str, Any]:
    """All that two runs have in common if one is the other's equal: their last checkpoint, figures and curves."""
    checkpoint = read_checkpoint(run / "checkpoints" / "last.ckpt")
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "current_model_state", "averaging_state")
    rows = checkpoint["callbacks"]["History"]["epochs"]
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    curves = {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if tag != CLOCK
    }
    return {
        "checkpoint": {name: checkpoint.get(name) for name in kept},
        "checkpoints": {file.name: read_checkpoint(file)["global_step"] for file in run.glob("checkpoints/*.ckpt")},
        "rows": rows_of_csv(run / "metrics.csv"),
        "history": [{name: value for name, value in row.items() if name != CLOCK} for row in rows],
        "metrics": {name: value for name, value in read_json(run / "metrics.json").items() if name != CLOCK},
        "curves": curves,
        "status": read_json(run / "run.json")["status"],
    }


def rows_of_csv(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(newline="") as text:
        return [{name: value for name, value in row.items() if name != CLOCK} for row in csv.DictReader(text)]


def assert_equal(one: Any, other: Any, place: str = "") -> None:
    """To the last bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_equal(one[key], other[key], f"{place}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_equal(left, right, f"{place}/{index}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    else:
        assert one == other, place


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Send this process a signal within a step of training."""

    def arrange(number: int, step: int) -> None:
        original, steps = Throughput.on_train_batch_end, iter(range(1, 10_000))

        def at_batch_end(*arguments: Any) -> None:
            original(*arguments)
            if next(steps) == step:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(Throughput, "on_train_batch_end", at_batch_end)

    return arrange


@pytest.fixture(scope="module")
def known() -> dict[tuple[str, ...], dict[str, Any]]:
    """States of uninterrupted runs, by their settings."""
    return {}


@pytest.fixture
def uninterrupted(
    run_train: Command, tmp_path: Path, known: dict[tuple[str, ...], dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    """State of a run of these settings from beginning to end."""

    def train(*overrides: str) -> dict[str, Any]:
        if overrides not in known:
            run_train(*SETTINGS, *overrides, "hydra.run.dir=whole", code=0)
            known[overrides] = state(tmp_path / "whole")
        return known[overrides]

    return train


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run that was cut off is kept for all tests here; it is trained once."""
    return tmp_path_factory.mktemp("kept") / "run"


@pytest.fixture
def cut_off(run_train: Command, signal_at: Callable[[int, int], None], kept: Path, tmp_path: Path) -> Path:
    """Folder of a run that was stopped in the middle of its second epoch."""
    if not kept.exists():
        signal_at(signal.SIGINT, STEPS + 2)
        run_train(*SETTINGS, *FULL, "hydra.run.dir=run", code=130)
        shutil.copytree(tmp_path / "run", kept)
    else:
        shutil.copytree(kept, tmp_path / "run")
    return tmp_path / "run"


CASES = [
    pytest.param(1, FULL, id="after the first step", marks=pytest.mark.slow),
    pytest.param(STEPS + 2, FULL, id="in the middle of an epoch"),
    pytest.param(2 * STEPS, FULL, id="on the last step of an epoch"),
    pytest.param(3 * STEPS, FULL, id="on the last step of all", marks=pytest.mark.slow),
    pytest.param(5, ("trainer.accumulate_grad_batches=2", "data.val_size=0"), id="between accumulated batches"),
    pytest.param(
        2 * STEPS,
        ("callbacks=[default,early_stopping]", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-12"),
        id="when it was to stop early",
        marks=pytest.mark.slow,
    ),
    pytest.param(6, ("trainer.max_steps=6",), id="on the last of a number of steps", marks=pytest.mark.slow),
    pytest.param(
        2 * STEPS,
        ("trainer.check_val_every_n_epoch=2",),
        id="after an epoch without validation",
        marks=pytest.mark.slow,
    ),
    *(
        pytest.param(STEPS + 1, (f"scheduler={name}",), id=name, marks=pytest.mark.slow)
        for name in ("constant", "cosine", "exponential", "step")
    ),
]


@pytest.mark.parametrize(("step", "overrides"), CASES)
def test_a_run_that_was_stopped_by_a_signal_ends_as_one_that_was_not(
    step: int,
    overrides: tuple[str, ...],
    run_train: Command,
    uninterrupted: Callable[..., dict[str, Any]],
    signal_at: Callable[[int, int], None],
    tmp_path: Path,
) -> None:
    expected = uninterrupted(*overrides)
    signal_at(signal.SIGTERM, step)
    stopped = run_train(*SETTINGS, *overrides, "hydra.run.dir=run", code=143)
    assert "resume=run" in stopped.err
    assert read_json(tmp_path / "run" / "run.json")["status"] == "interrupted"
    resumed = run_train("resume=run", code=0)
    assert "goes on after step" in resumed.out
    assert read_json(tmp_path / "run" / "metrics.json").get(CLOCK, 100) > 1
    assert_equal(state(tmp_path / "run"), expected)


def test_auto_finds_the_run_of_the_same_command_wherever_it_was_cut_off(
    run_train: Command, signal_at: Callable[[int, int], None], tmp_path: Path
) -> None:
    command = (*SETTINGS, "model=mlp", "augmentation=[affine,erasing]", "resume=auto")
    signal_at(signal.SIGHUP, STEPS + 1)
    run_train(*command, code=129)
    assert "goes on after step 5" in run_train(*command).out
    again = run_train(*command)
    assert (again.code, "is finished" in again.out) == (0, True)
    run_train(*command, "seed=43", code=0)
    assert len(list((tmp_path / "outputs" / "train").iterdir())) == 2


def test_what_is_said_of_a_run_when_it_goes_on_stays_said(
    run_train: Command, signal_at: Callable[[int, int], None], tmp_path: Path
) -> None:
    signal_at(signal.SIGTERM, 2)
    run_train(*SETTINGS, "model=mlp", "tags=[first]", "note=one", "hydra.run.dir=run", code=143)
    signal_at(signal.SIGTERM, 2)
    run_train("resume=run", "tags=[second]", code=143)
    run_train("resume=run", code=0)
    record = read_json(tmp_path / "run" / "run.json")
    assert (record["tags"], record["note"], len(record["resumed"])) == (["second"], "one", 2)


def test_a_run_that_goes_on_with_other_code_says_so(run_train: Command, cut_off: Path) -> None:
    record = read_json(cut_off / "run.json")
    versions = {**record["versions"], "torch": "1.0"}
    (cut_off / "run.json").write_text(json.dumps({**record, "git_revision": "abc", "versions": versions}))
    resumed = run_train("resume=run", code=0)
    assert "resume: code: abc then" in resumed.err
    assert "resume: versions: torch 1.0 then" in resumed.err
    after = read_json(cut_off / "run.json")
    assert (after["git_revision"], after["versions"]["torch"]) == ("abc", "1.0")
    assert after["resumed"][0]["versions"] == record["versions"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGUSR1", 138), ("SIGUSR2", 140)])
def test_a_warning_of_a_time_limit_saves_like_a_signal_to_end(
    name: str, code: int, run_train: Command, signal_at: Callable[[int, int], None], tmp_path: Path
) -> None:
    signal_at(getattr(signal, name), STEPS + 2)
    stopped = run_train(*SETTINGS, "model=mlp", "hydra.run.dir=run", code=code)
    assert stopped.err.endswith("go on with: python -m digitrec.train resume=run\nended before its time limit\n")
    assert read_json(tmp_path / "run" / "run.json")["status"] == "interrupted"
    assert f"goes on after step {STEPS + 2}" in run_train("resume=run").out


def test_a_job_of_a_sweep_that_slurm_starts_again_goes_on(
    run_train: Command, signal_at: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signal_at(signal.SIGTERM, STEPS + 2)
    sweep = ("-m", *SETTINGS, "model=mlp", "hydra.sweep.dir=sweep", "seed=1")
    run_train(*sweep, code=143)
    assert "holds a run already" in run_train(*sweep).err
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    again = run_train(*sweep, code=0)
    assert f"goes on after step {STEPS + 2}" in again.out


def test_a_run_that_was_moved_to_an_odd_place_goes_on(
    run_train: Command, cut_off: Path, uninterrupted: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    expected = uninterrupted(*FULL)
    place = tmp_path / "naïve, \u96ea = 1" / "my run"
    place.parent.mkdir()
    cut_off.rename(place)
    run_train(f"resume='{place}'", code=0)
    assert not cut_off.exists()
    assert_equal(state(place), expected)


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(
    run_train: Command, cut_off: Path, uninterrupted: Callable[..., dict[str, Any]]
) -> None:
    expected = uninterrupted(*FULL)
    last = cut_off / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-1000])
    resumed = run_train("resume=run", code=0)
    assert "last.ckpt: damaged" in resumed.err
    assert "goes on after step 4, from best.ckpt" in resumed.out
    assert_equal(state(cut_off), expected)


@pytest.mark.parametrize("epochs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_kill_between_the_best_checkpoint_and_the_last_loses_neither(
    epochs: int, run_train: Command, uninterrupted: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    settings = (*FULL, f"trainer.max_epochs={epochs}", "optimizer.lr=1e-3")
    expected = uninterrupted(*settings)
    run_train(*SETTINGS, *settings, "hydra.run.dir=run", code=0)
    run = tmp_path / "run"
    assert read_checkpoint(run / "checkpoints" / "best.ckpt")["global_step"] == epochs * STEPS
    (run / "checkpoints" / "last.ckpt").unlink()
    (run / "run.json").write_text(json.dumps(read_json(run / "run.json") | {"status": "running"}))
    run_train("resume=run", code=0)
    assert_equal(state(run), expected)


def test_without_a_whole_checkpoint_nothing_goes_on(run_train: Command, cut_off: Path) -> None:
    for file in cut_off.glob("checkpoints/*"):
        file.write_bytes(b"PK")
    before = (cut_off / "metrics.csv").read_bytes()
    refused = run_train("resume=run", code=1)
    assert "none of its 2 checkpoints can be used" in refused.err
    assert (cut_off / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resume=nowhere",), "resume=nowhere: no run in this folder"),
        (("resume=run", "seed=3"), "seed=3: resume=run takes every setting from that run"),
        (("++resume=run", "seed=3"), "seed=3: resume=run takes every setting from that run"),
        (("resume=run/checkpoints/last.ckpt",), "did you mean run?"),
        (("resume=run", "hydra.run.dir=elsewhere"), "hydra.run.dir=elsewhere: resume=run takes every"),
        ((*UNTRAINED, "resume=auto", "seed=3"), "holds a run with other settings"),
        (("-m", "resume=run"), "resume=run: a sweep goes on with resume=auto"),
    ],
)
def test_what_cannot_go_on_is_refused_in_a_line_and_left_as_it_is(
    arguments: tuple[str, ...], said: str, run_train: Command, tmp_path: Path
) -> None:
    run_train(*UNTRAINED, code=0)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    refused = run_train(*arguments)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1), refused.err
    assert said in refused.err
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("content", ["", "hello", "- 1", "a: [b"])
@pytest.mark.parametrize("file", ["run.json", ".hydra/config.yaml"])
def test_a_damaged_description_is_named_and_hinders_no_other_run(
    file: str, content: str, run_train: Command, tmp_path: Path
) -> None:
    run = tmp_path / "outputs" / "train" / "run"
    (run / ".hydra").mkdir(parents=True)
    (run / "run.json").write_text('{"status": "running", "pid": 1}')
    (run / ".hydra" / "config.yaml").write_text("run_dir: x\nresume: null\n")
    (run / file).write_text(content)
    refused = run_train("resume=outputs/train/run")
    assert refused.code in (1, 2)
    assert file in refused.err
    assert "Traceback" not in refused.err
    run_train(*UNTRAINED[:-1], "resume=auto", code=0)


def test_a_sweep_with_auto_runs_only_what_is_not_done(
    run_train: Command, signal_at: Callable[[int, int], None], tmp_path: Path
) -> None:
    sweep = ("-m", *SETTINGS, "model=mlp", "seed=1,2,3", "hydra.sweep.dir=sweep", "resume=auto")
    signal_at(signal.SIGTERM, 3 * STEPS + 2)
    run_train(*sweep, code=143)
    first = (tmp_path / "sweep" / "seed-1" / "metrics.json").stat().st_mtime_ns
    again = run_train(*sweep, code=0)
    assert again.out.count("is finished; nothing") == 1
    assert again.out.count("goes on after step") == 1
    assert (tmp_path / "sweep" / "seed-1" / "metrics.json").stat().st_mtime_ns == first
    assert {read_json(job)["status"] for job in tmp_path.glob("sweep/*/run.json")} == {"finished"}


FIFTY = [pytest.param(kills, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)]) for kills in range(8, 13)]


@pytest.mark.parametrize("kills", [2, *FIFTY])
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(
    kills: int, uninterrupted: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    expected, draw = uninterrupted(*FULL), random.Random(kills)  # noqa: S311
    chain, left = 0, kills
    while left or not (tmp_path / f"run{chain}" / "metrics.json").is_file():
        run = tmp_path / f"run{chain}"
        command = (*SETTINGS, *FULL, f"hydra.run.dir={run}", "resume=auto")
        with Forked("digitrec.train", *command, cwd=tmp_path) as training:
            if left:
                wait_for(lambda: training.returncode is not None or "\nlayer" in training.said()[0])
                time.sleep(draw.uniform(0, 1.5))
                with suppress(ProcessLookupError):  # it was faster
                    training.send_signal(signal.SIGKILL)
        assert training.returncode in (0, -signal.SIGKILL), training.said()
        left -= training.returncode == -signal.SIGKILL
        if training.returncode == 0:
            assert_equal(state(run), expected)
            chain += bool(left)


def is_alive(process: int) -> bool:
    """Whether it still runs; one that nobody has asked for its end is listed, but does not."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("killed", ["first", "second"])
def test_a_process_that_dies_takes_the_other_along_and_both_can_go_on(
    killed: str, spawn_train: Command, tmp_path: Path
) -> None:
    settings = (*SETTINGS, "trainer=ddp", "trainer.max_epochs=60", "hydra.run.dir=run")
    command = [sys.executable, "-u", "-m", "digitrec.train", *settings]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        assert job.stdout is not None
        next(line for line in job.stdout if line.split()[:2] == ["epoch", "2/60"])
        second = int(Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()[0])
        os.kill(job.pid if killed == "first" else second, signal.SIGKILL)
        job.communicate(timeout=30)
    assert not is_alive(second)
    resumed = spawn_train("resume=run", code=0)
    assert "goes on after step" in resumed.out


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("gathered", [1, 2])
def test_two_processes_go_on_as_one_would(gathered: int, spawn_train: Command, tmp_path: Path) -> None:
    settings = (*SETTINGS, *FULL, "trainer=ddp", "trainer.max_epochs=20", f"trainer.accumulate_grad_batches={gathered}")
    spawn_train(*settings, "hydra.run.dir=whole", code=0)
    command = [sys.executable, "-u", "-m", "digitrec.train", *settings, "hydra.run.dir=run"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        assert job.stdout is not None
        next(line for line in job.stdout if line.split()[:2] == ["epoch", "3/20"])
        job.terminate()
        job.communicate()
    assert job.returncode == 143
    resumed = spawn_train("resume=run", code=0)
    assert "goes on after step" in resumed.out
    assert_equal(state(tmp_path / "run"), state(tmp_path / "whole"))


def test_a_run_of_an_earlier_version_is_understood(run_train: Command, tmp_path: Path) -> None:
    """Kept since 0.1: interrupted within its sixth epoch, a perceptron of four units on the embedded digits.

    Its checksum of the data is that of digits framed since by numpy, which differ in 33 pixels, by one in 255.
    """
    shutil.copytree(Path(__file__).parents[1] / "fixtures" / "run_0_1", tmp_path / "old")
    network = load_classifier(tmp_path / "old")
    images, labels = load("digits", "test")
    right = (network(images).argmax(1) == labels).float().mean().item()
    assert right == pytest.approx(0.4234, abs=0.01)  # other processors round differently
    resumed = run_train("resume=old", code=0)
    assert "goes on after step" in resumed.out
    assert read_json(tmp_path / "old" / "metrics.json")["val/accuracy"] > right
