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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitrec import train
from digitrec.data.datasets import load
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_checkpoint
from digitrec.training.throughput import Throughput
from tests.command import Command, contents, read_json, run_in
from tests.forked import Forked
from tests.waiting import wait_for

SETTINGS = ("data=digits", "trainer.accelerator=cpu", "data.batch_size=360", "trainer.max_epochs=3")
STEPS = 4  # of each epoch: 1,258 images are left for training
FULL = ("augmentation=affine", "callbacks=[default,ema]", "logger=[tensorboard,csv]", "trainer.log_every_n_steps=1")
UNTRAINED = (*SETTINGS, "model=mlp", "trainer.max_epochs=0", "test=false", "hydra.run.dir=run")  # all but its weights
CLOCK = "train/images_per_second"
State = Callable[..., dict[str, Any]]
SignalAt = Callable[[int, int], None]


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


def arrange_signal(patch: pytest.MonkeyPatch, number: int, step: int) -> None:
    """Send this process a signal within a step of training."""
    original, steps = Throughput.on_train_batch_end, iter(range(1, 10_000))

    def at_batch_end(*arguments: Any) -> None:
        original(*arguments)
        if next(steps) == step:
            os.kill(os.getpid(), number)

    patch.setattr(Throughput, "on_train_batch_end", at_batch_end)


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> SignalAt:
    return partial(arrange_signal, monkeypatch)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> State:
    """State of a run of these settings from beginning to end; each is trained once."""

    @cache
    def train_whole(*overrides: str) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("whole")
        assert run_in(folder, train.main, *SETTINGS, *overrides, "hydra.run.dir=run") == 0
        return state(folder / "run")

    return train_whole


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that was stopped in the middle of its second epoch; it is trained once."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        arrange_signal(patch, signal.SIGINT, STEPS + 2)
        assert run_in(folder, train.main, *SETTINGS, *FULL, "hydra.run.dir=run") == 130
    return folder / "run"


@pytest.fixture
def cut_off(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(stopped, tmp_path / "run"))


EARLY = ("callbacks=[default,early_stopping]", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-12")
CASES = {
    "after the first step": (1, FULL),
    "in the middle of an epoch": (STEPS + 2, FULL),
    "on the last step of an epoch": (2 * STEPS, FULL),
    "on the last step of all": (3 * STEPS, FULL),
    "between accumulated batches": (5, ("trainer.accumulate_grad_batches=2", "data.val_size=0")),
    "when it was to stop early": (2 * STEPS, EARLY),
    "on the last of a number of steps": (6, ("trainer.max_steps=6",)),
    "after an epoch without validation": (2 * STEPS, ("trainer.check_val_every_n_epoch=2",)),
    "with muon": (STEPS + 1, ("optimizer=muon", "callbacks=[default,ema]", "trainer.gradient_clip_val=1")),
    **{name: (STEPS + 1, (f"scheduler={name}",)) for name in ("constant", "cosine", "exponential", "step")},
}
DEFAULT = ("in the middle of an epoch", "on the last step of an epoch")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in DEFAULT else pytest.mark.slow) for case in CASES]
)
def test_a_run_stopped_by_a_signal_ends_like_a_whole_one(
    case: str, run_train: Command, uninterrupted: State, signal_at: SignalAt, tmp_path: Path
) -> None:
    step, overrides = CASES[case]
    expected = uninterrupted(*overrides)
    signal_at(signal.SIGTERM, step)
    stopped = run_train(*SETTINGS, *overrides, "hydra.run.dir=run", code=143)
    assert "resume=run" in stopped.err
    assert read_json(tmp_path / "run" / "run.json")["status"] == "interrupted"
    assert "goes on after step" in run_train("resume=run", code=0).out
    assert read_json(tmp_path / "run" / "metrics.json").get(CLOCK, 100) > 1
    assert_equal(state(tmp_path / "run"), expected)


def test_auto_finds_the_run_of_the_same_command(run_train: Command, signal_at: SignalAt, tmp_path: Path) -> None:
    command = (*SETTINGS, "model=mlp", "augmentation=[affine,erasing]", "resume=auto")
    signal_at(signal.SIGHUP, STEPS + 1)
    run_train(*command, code=129)
    assert "goes on after step 5" in run_train(*command).out
    again = run_train(*command)
    assert (again.code, "is finished" in again.out) == (0, True)
    run_train(*command, "seed=43", code=0)
    assert len(list((tmp_path / "outputs" / "train").iterdir())) == 2


def test_tags_of_a_resumed_run_stay(run_train: Command, signal_at: SignalAt, tmp_path: Path) -> None:
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
def test_a_warning_of_a_time_limit_saves(
    name: str, code: int, run_train: Command, signal_at: SignalAt, tmp_path: Path
) -> None:
    signal_at(getattr(signal, name), STEPS + 2)
    stopped = run_train(*SETTINGS, "model=mlp", "hydra.run.dir=run", code=code)
    assert stopped.err.endswith("go on with: python -m digitrec.train resume=run\nended before its time limit\n")
    assert read_json(tmp_path / "run" / "run.json")["status"] == "interrupted"
    assert f"goes on after step {STEPS + 2}" in run_train("resume=run").out


def test_a_job_that_slurm_requeues_resumes(
    run_train: Command, signal_at: SignalAt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signal_at(signal.SIGTERM, STEPS + 2)
    sweep = ("-m", *SETTINGS, "model=mlp", "hydra.sweep.dir=sweep", "seed=1")
    run_train(*sweep, code=143)
    assert "holds a run already" in run_train(*sweep).err
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    again = run_train(*sweep, code=0)
    assert f"goes on after step {STEPS + 2}" in again.out


def test_a_moved_run_resumes(run_train: Command, cut_off: Path, uninterrupted: State, tmp_path: Path) -> None:
    expected = uninterrupted(*FULL)
    place = tmp_path / "naïve, \u96ea = 1" / "my run"
    place.parent.mkdir()
    cut_off.rename(place)
    run_train(f"resume='{place}'", code=0)
    assert not cut_off.exists()
    assert_equal(state(place), expected)


def test_instead_of_a_damaged_checkpoint_the_one_before_is_used(
    run_train: Command, cut_off: Path, uninterrupted: State
) -> None:
    expected = uninterrupted(*FULL)
    last = cut_off / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-1000])
    resumed = run_train("resume=run", code=0)
    assert "last.ckpt: damaged" in resumed.err
    assert "goes on after step 4, from best.ckpt" in resumed.out
    assert_equal(state(cut_off), expected)


@pytest.mark.parametrize("epochs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_kill_between_two_checkpoints_loses_neither(
    epochs: int, run_train: Command, uninterrupted: State, tmp_path: Path
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
    run_train("resume=run").assert_refused("none of its 2 checkpoints can be used", code=1, lines=9)
    assert (cut_off / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_runs_that_cannot_resume_stay_as_they_are(
    arguments: tuple[str, ...], message: str, run_train: Command, tmp_path: Path
) -> None:
    run_train(*UNTRAINED, code=0)
    before = contents(tmp_path / "run")
    run_train(*arguments).assert_refused(message)
    assert contents(tmp_path / "run") == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("option", ["resume", "rerun", "init_from"])
def test_a_path_that_no_system_takes_is_named_in_a_line(option: str, run_train: Command) -> None:
    run_train(f"{option}={'a' * 300}").assert_refused("aaa", "File name too long", code=1)


@pytest.mark.parametrize("content", ["", "hello", "- 1", "a: [b"])
@pytest.mark.parametrize("file", ["run.json", ".hydra/config.yaml"])
def test_a_damaged_description_stops_no_other_run(file: str, content: str, run_train: Command, tmp_path: Path) -> None:
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


def test_a_sweep_with_auto_runs_only_what_is_not_done(run_train: Command, signal_at: SignalAt, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("kills", [pytest.param(2, marks=pytest.mark.slow), *FIFTY])
def test_a_run_killed_again_and_again_ends_like_an_uninterrupted_one(
    kills: int, uninterrupted: State, tmp_path: Path
) -> None:
    expected, draw = uninterrupted(*FULL), random.Random(kills)  # noqa: S311
    chain, left = 0, kills
    while left or not (tmp_path / f"run{chain}" / "metrics.json").is_file():
        run = tmp_path / f"run{chain}"
        command = (*SETTINGS, *FULL, f"hydra.run.dir={run}", "resume=auto")
        with Forked("digitrec.train", *command, cwd=tmp_path) as training:
            if left:
                wait_for(lambda: training.returncode is not None or "\nlayer" in training.printed()[0])
                time.sleep(draw.uniform(0, 1.5))
                with suppress(ProcessLookupError):  # it was faster
                    training.send_signal(signal.SIGKILL)
        assert training.returncode in (0, -signal.SIGKILL), training.printed()
        left -= training.returncode == -signal.SIGKILL
        if training.returncode == 0:
            assert_equal(state(run), expected)
            chain += bool(left)


@contextmanager
def training(folder: Path, epoch: str, *settings: str) -> Iterator[subprocess.Popen[str]]:
    """A training in a process of its own that has come to this epoch."""
    command = [sys.executable, "-u", "-m", "digitrec.train", *settings, "hydra.run.dir=run"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        assert job.stdout is not None
        next(line for line in job.stdout if line.split()[:2] == ["epoch", epoch])
        yield job
        job.communicate(timeout=30)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("killed", ["first", "second"])
def test_a_process_that_dies_ends_the_other_and_both_resume(killed: str, spawn_train: Command, tmp_path: Path) -> None:
    with training(tmp_path, "2/60", *SETTINGS, "trainer=ddp", "trainer.max_epochs=60") as job:
        second = int(Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()[0])
        os.kill(job.pid if killed == "first" else second, signal.SIGKILL)
    status = Path(f"/proc/{second}/stat")  # one whose end is still to be asked for is listed, but does not run
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"
    assert "goes on after step" in spawn_train("resume=run", code=0).out


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("gathered", [1, 2])
def test_two_processes_go_on_as_one_would(gathered: int, spawn_train: Command, tmp_path: Path) -> None:
    settings = (*SETTINGS, *FULL, "trainer=ddp", "trainer.max_epochs=20", f"trainer.accumulate_grad_batches={gathered}")
    spawn_train(*settings, "hydra.run.dir=whole", code=0)
    with training(tmp_path, "3/20", *settings) as job:
        job.terminate()
    assert job.returncode == 143
    assert "goes on after step" in spawn_train("resume=run", code=0).out
    assert_equal(state(tmp_path / "run"), state(tmp_path / "whole"))


LONGER = ("trainer.max_epochs=2", "optimizer.lr=1e-3")


COSINE = ("scheduler=cosine", "optimizer=sgd")


@pytest.mark.parametrize("settings", [FULL, pytest.param(COSINE, marks=pytest.mark.slow)])
def test_a_run_that_is_extended_is_one_that_was_planned_so(
    settings: tuple[str, ...], run_train: Command, uninterrupted: State, signal_at: SignalAt, tmp_path: Path
) -> None:
    """Extended twice, the second time cut off; what had been before stays."""
    expected = uninterrupted(*settings, *LONGER, "extend=[1,2]")
    run_train(*SETTINGS, *settings, *LONGER, "hydra.run.dir=run", code=0)
    run, first = tmp_path / "run", state(tmp_path / "run")
    composed = (run / ".hydra" / "config.yaml").read_bytes()
    assert "extended by 1 epoch," in run_train("resume=run", "extend=1", code=0).out
    signal_at(signal.SIGTERM, STEPS + 2)
    run_train("resume=run", "extend=2", code=143)
    again = run_train("resume=run", "extend=2", code=0)
    assert (again.out.count("epoch "), "extended by 1 and 2 epochs" in again.out) == (1, True)
    after = state(run)
    assert_equal(after, expected)
    assert_equal(after["history"][:2], first["history"])
    assert (run / ".hydra" / "config.yaml").read_bytes() == composed
    assert read_json(run / "run.json")["extended"] == [1, 2]
    assert "is finished" in run_train("resume=run", code=0).out
    assert "rerun: identical" in run_train("rerun=run", code=0).out


def test_a_composition_that_was_changed_is_named(run_train: Command, cut_off: Path) -> None:
    composed = cut_off / ".hydra" / "config.yaml"
    text = composed.read_text()
    composed.write_text(text.replace("max_epochs: 3", "max_epochs: 6").replace("lr: 0.003", "lr: 0.1"))
    before = contents(cut_off)
    named = "changed after the run began: optimizer.lr from 0.003 to 0.1, trainer.max_epochs from 3 to 6."
    for option in ("resume", "rerun"):
        refused = run_train(f"{option}=run")
        refused.assert_refused(f"{option}: run/.hydra/config.yaml", named, "extend=EPOCHS", "init_from=run", lines=2)
    assert contents(cut_off) == before
    composed.write_text(f"# as it was\n{text}")
    run_train("resume=run", code=0)


def test_a_run_that_its_settings_have_ended_cannot_be_extended(run_train: Command, tmp_path: Path) -> None:
    for end in (EARLY, ("trainer.max_steps=6",)):
        run_train(*SETTINGS, "model=mlp", "test=false", *end, f"hydra.run.dir={len(end)}", code=0)
        before = contents(tmp_path / str(len(end)))
        refused = run_train(f"resume={len(end)}", "extend=2")
        refused.assert_refused("has 2 epochs", "its other settings end it", f"init_from={len(end)}")
        run_train(f"resume={len(end)}", "extend=[0]").assert_refused("extend: expected a number of epochs above 0")
        assert contents(tmp_path / str(len(end))) == before


def test_early_stopping_in_the_last_epoch_leaves_what_is_added(run_train: Command) -> None:
    run_train(*SETTINGS, *EARLY, "callbacks.early_stopping.patience=2", "model=mlp", "hydra.run.dir=run", code=0)
    assert "epoch 4/4" in run_train("resume=run", "extend=1", code=0).out


def test_a_run_of_an_earlier_version_is_understood(run_train: Command, tmp_path: Path) -> None:
    """Kept since 0.1: interrupted within its sixth epoch, a perceptron of four units on the embedded digits.

    It is older than tags, notes and reruns. Its checksum of the data is that of digits framed since by numpy, which
    differ in 33 pixels, by one in 255.
    """
    shutil.copytree(Path(__file__).parents[1] / "fixtures" / "run_0_1", tmp_path / "old")
    network = load_classifier(tmp_path / "old")
    images, labels = load("digits", "test")
    right = (network(images).argmax(1) == labels).float().mean().item()
    assert right == pytest.approx(0.4234, abs=0.01)  # other processors round differently
    resumed = run_train("resume=old", code=0)
    assert "goes on after step" in resumed.out
    assert read_json(tmp_path / "old" / "metrics.json")["val/accuracy"] > right
    run_train("rerun=old", code=0)
