"""A sweep goes on, however its jobs end."""

import os
import signal
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from tests.command import Outcome, processes_of, read_json, with_module
from tests.forked import Forked
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs have processes of their own on Linux only")

FAULTS = """
import os
import resource
import signal
import sys
import time
import torch
from lightning.pytorch.callbacks import Callback

class Fault(Callback):
    def __init__(self, job: int) -> None:
        self.job = job

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch != 1 or "HEALED" in os.environ:
            return
        match self.job:
            case 2: 1 / 0
            case 4: sys.exit(0)
            case 5: os._exit(7)
            case 7:
                if not os.fork():
                    time.sleep(300)
                os.kill(os.getpid(), signal.SIGKILL)
            case 9:
                resource.setrlimit(resource.RLIMIT_AS, (2**36, resource.RLIM_INFINITY))
                torch.ones(2**36)
"""
SWEEP = (
    "-m", "hydra/launcher=side_by_side", "hydra.sweep.dir=sweep", "resume=auto", "data=digits", "model=mlp",
    "trainer.accelerator=cpu", "+callbacks.fault={_target_:faults.Fault,job:${seed}}",
)  # fmt: skip


def train(*arguments: str, cwd: Path, env: Mapping[str, str]) -> Outcome:
    with Forked("digitrec.train", *arguments, cwd=cwd, env=env) as sweep:
        return sweep.wait(timeout=200)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return with_module(tmp_path, FAULTS)


REASONS = {2: "ZeroDivisionError", 4: "sys.exit(0)", 5: "exit code 7", 7: "SIGKILL", 9: "memory"}


@pytest.mark.parametrize("jobs", [(1, 2, 7), pytest.param(range(12), marks=pytest.mark.slow)], ids=["three", "twelve"])
def test_a_sweep_goes_on_when_jobs_fail(jobs: Collection[int], environment: dict[str, str], tmp_path: Path) -> None:
    command = (
        *SWEEP,
        f"seed={','.join(map(str, jobs))}",
        "trainer.max_epochs=2",
        "data.limit=300",
        "callbacks=[default,freeze]",
    )
    reasons = {job: REASONS[job] for job in jobs if job in REASONS}
    first = train(*command, cwd=tmp_path, env=environment)
    assert first.code == 1
    records = {file.parent.name.rpartition("-")[2]: read_json(file) for file in tmp_path.glob("sweep/*/run.json")}
    failed = {int(name): record["error"] for name, record in records.items() if record["status"] == "failed"}
    assert len(records) == len(jobs)
    assert {record["status"] for record in records.values()} == {"finished", "failed"}
    assert failed.keys() == reasons.keys()
    for job, reason in reasons.items():
        assert reason in failed[job]
        assert f"seed-{job} failed: {failed[job].splitlines()[0]}" in first.out
    epochs = [line.split()[0] for line in first.out.splitlines() if " epoch 1/2 " in line]
    assert sorted(epochs) == sorted(f"seed-{job}" for job in jobs)
    assert first.err.count("until_epoch=3 is not reached") == 1


@pytest.mark.slow
def test_the_same_command_again_does_what_is_left(environment: dict[str, str], tmp_path: Path) -> None:
    command = (*SWEEP, "seed=1,2,7", "trainer.max_epochs=2", "data.limit=300")
    assert train(*command, cwd=tmp_path, env=environment).code == 1
    finished = {name: file.stat().st_mtime_ns for name, file in metrics(tmp_path).items()}
    again = train(*command, cwd=tmp_path, env={**environment, "HEALED": ""})
    assert again.code == 0, again.err
    assert {read_json(file)["status"] for file in tmp_path.glob("sweep/*/run.json")} == {"finished"}
    assert finished.items() <= {name: file.stat().st_mtime_ns for name, file in metrics(tmp_path).items()}.items()
    assert (len(finished), len(metrics(tmp_path))) == (1, 3)


def metrics(folder: Path) -> dict[str, Path]:
    return {file.parent.name: file for file in folder.glob("sweep/*/metrics.json")}


def test_a_job_that_leaves_no_record_is_reported(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sweep" / "seed-0").mkdir(parents=True)
    (tmp_path / "sweep" / "seed-0" / "run.json").write_text('{"status": "finished"}')
    outcome = train(*SWEEP, "seed=0,1", "trainer.max_epochs=1", "data.limit=300", cwd=tmp_path, env=environment)
    assert outcome.code == 1
    assert "seed-0/.hydra/config.yaml, the run's settings, is missing" in outcome.err
    assert read_json(tmp_path / "sweep" / "seed-0" / "run.json") == {"status": "finished"}
    assert read_json(tmp_path / "sweep" / "seed-1" / "run.json")["status"] == "finished"


def to_all(session: int, number: int) -> None:
    for process in processes_of(session):
        os.kill(process, number)


ENDS = {
    "Ctrl-C": (os.killpg, signal.SIGINT),  # as a terminal does
    "each process terminated": (to_all, signal.SIGTERM),  # as a service manager does
    "terminal closed": (os.killpg, signal.SIGHUP),
    "terminated": (os.kill, signal.SIGTERM),
    "killed": (os.kill, signal.SIGKILL),
}
QUICK = ("Ctrl-C",)


@pytest.mark.parametrize("end", [pytest.param(end, marks=[] if end in QUICK else pytest.mark.slow) for end in ENDS])
def test_an_ended_sweep_leaves_no_process_and_resumes(end: str, environment: dict[str, str], tmp_path: Path) -> None:
    command = (*SWEEP, "seed=0,1", "trainer.max_epochs=40")
    send, number = ENDS[end]
    with Forked("digitrec.train", *command, cwd=tmp_path, env=environment) as sweep:
        wait_for(lambda: len(list(tmp_path.glob("sweep/*/checkpoints/last.ckpt"))) == 2)
        send(sweep.pid, number)
        printed = "".join(sweep.wait(timeout=60)[1:])
    assert sweep.returncode == (-9 if end == "killed" else 128 + number), printed
    wait_for(lambda: not processes_of(sweep.pid), 10)
    assert "Traceback" not in printed
    assert {read_json(file)["status"] for file in tmp_path.glob("sweep/*/run.json")} == {"interrupted"}
    resumed = train(*command, cwd=tmp_path, env=environment)
    assert resumed.code == 0, resumed.err
    assert resumed.out.count("goes on after step") == 2, resumed.out
