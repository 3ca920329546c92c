"""Runs and sweeps on a real SLURM of one node."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from digitrec.models.checkpoint_file import read_checkpoint
from tests.cluster.slurm import missing, slurm_here
from tests.command import read_json
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

FAULTS = """
import os
import signal
import time
from lightning.pytorch.callbacks import Callback

class Fault(Callback):
    def __init__(self, job: int) -> None:
        self.job = job

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if self.job == 2:  # longer than its time limit, whatever signal comes
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(1000)
        if self.job == 4:
            1 / 0
        if self.job == 5:
            self.memory = bytearray(5 * 2**30)
            time.sleep(1000)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if self.job in (1, 6):  # trains until a signal comes
            time.sleep(1)
"""
SMALL = ("data=digits", "model=mlp", "model.hidden=[8]", "trainer.accelerator=cpu")
LONG = (*SMALL, "trainer.max_epochs=300")
SWEEP = (
    sys.executable, "-m", "digitrec.train", "-m", "hydra/launcher=slurm", "hydra.sweep.dir=sweep",
    "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=3",
)  # fmt: skip

URGENT = ("srun", "--partition=urgent", "--cpus-per-task=4", "--mem=1G", "true")  # takes the cores of another job


class Cluster:
    """Commands in a folder, with a SLURM beside them."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        threads = {"OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        modules = {"PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}", "DIGITREC_ALLOW": "faults"}
        self.environment = {**environment, **threads, **modules}

    def start(self, *command: str) -> subprocess.Popen[str]:
        with (self.folder / "printed").open("w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT, text=True
            )

    def run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        assert not check or not done.returncode, done.stdout
        return done.stdout

    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    def submit(self, script: str, *options: str) -> str:
        """The number of a job, whose output goes to a file of that name."""
        (self.folder / "job.sh").write_text(script)
        return self.run("sbatch", "--parsable", "--output=%j.out", *options, "job.sh").strip()

    def running(self) -> list[str]:
        return self.run("squeue", "--noheader", "--states=running", "--array", "--format=%i").split()

    def start_now(self, job: str) -> None:
        """Spare a requeued job most of the two minutes that SLURM has it wait; at once would be refused."""
        pending = ("squeue", "--noheader", "--states=pending", "--format=%i", f"--jobs={job}")
        wait_for(lambda: self.run(*pending))
        self.run("scontrol", "update", f"job={self.run(*pending).strip()}", "StartTime=now+5")

    def wait_for_end(self, job: str) -> None:
        ended = "squeue", "--noheader", "--states=pending,running,completing", f"--jobs={job}"
        wait_for(lambda: not self.run(*ended, check=False).strip())


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    with slurm_here(accounting=getattr(request, "param", True)) as found:
        yield found


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "faults.py").write_text(FAULTS)
    cluster = Cluster(tmp_path, environment)
    yield cluster
    cluster.run("scancel", "--user=root")


def documented(name: str, settings: str) -> str:
    """A script of docs/SCALING.md, by its job's name, with small settings in place of its own."""
    scripts = re.findall(r"```bash\n(.*?)```", Path("docs/SCALING.md").read_text(), re.DOTALL)
    (script,) = (text for text in scripts if f"--job-name={name} " in text)
    assert "model=cnn data=mnist" in script
    return str(script.replace("model=cnn data=mnist", settings))


def saved(run: Path) -> bool:
    return (run / "checkpoints" / "last.ckpt").is_file()


def status(run: Path) -> str:
    return str(read_json(run / "run.json")["status"])


def assert_same_weights(run: Path, other: Path) -> None:
    weights, others = (read_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"] for folder in (run, other))
    assert weights.keys() == others.keys()
    assert all(torch.equal(values, others[name]) for name, values in weights.items())


@pytest.mark.parametrize("environment", [False, True], ids=["squeue", "sacct"], indirect=True, scope="module")
def test_a_sweep_names_how_each_job_ended(cluster: Cluster) -> None:
    fault = "+callbacks.fault={_target_:faults.Fault,job:${seed}}"
    limits = ("timeout_min=3", "signal_delay_s=15", "array_parallelism=3")
    asked_for = [f"hydra.launcher.{limit}" for limit in limits]
    sweep = cluster.start(*SWEEP, *asked_for, *SMALL, fault, "trainer.max_epochs=30", "seed=1,2,3,4,5,6")
    at_once = 0
    last = cluster.folder / "sweep" / "seed-6"
    while sweep.poll() is None:
        running = cluster.running()
        at_once = max(at_once, len(running))
        if saved(last) and (mine := [job for job in running if job.endswith("_5")]):
            cluster.run("scancel", *mine)
        time.sleep(1)
    printed = cluster.printed()
    assert sweep.returncode == 1, printed
    assert at_once == 3
    rows = dict(re.findall(r"^(seed-\d) +(\S+(?: ZeroDiv)?)", printed, re.MULTILINE))
    assert rows == {
        "seed-1": "interrupted", "seed-2": "killed", "seed-3": "finished", "seed-4": "failed: ZeroDiv",
        "seed-5": "killed", "seed-6": "interrupted",
    }, printed  # fmt: skip
    ends = dict(re.findall(r"error: job \d+_(\d) did not finish \((.*?)\)", printed))
    assert ends.pop("5").startswith("cancelled"), printed
    assert ends == {"0": "failed", "1": "timeout", "4": "failed"}
    assert "Traceback" not in printed
    assert "sacct" not in printed
    (memory,) = cluster.folder.glob("sweep/.submitit/*_4/*.err")
    assert "exceeded memory limit" in memory.read_text()


@pytest.mark.parametrize("why", ["preempted", "warned"])
def test_a_job_of_a_sweep_goes_back_into_the_queue_and_finishes(why: str, cluster: Cluster) -> None:
    asked_for = ("hydra.launcher.cpus_per_task=4", "hydra.launcher.max_num_timeout=1")
    sweep = cluster.start(*SWEEP, *LONG, *asked_for, "seed=1,2")
    runs = [cluster.folder / "sweep" / name for name in ("seed-1", "seed-2")]
    wait_for(lambda: all(saved(run) for run in runs))
    (job,) = {job.partition("_")[0] for job in cluster.running()}
    if why == "preempted":
        cluster.run(*URGENT)
    else:
        cluster.run("scancel", "--signal=USR2", f"{job}_0")
    cluster.start_now(job)
    assert sweep.wait() == 0, cluster.printed()
    resumed = [len(read_json(run / "run.json").get("resumed", [])) for run in runs]
    assert sorted(resumed) == [0, 1]
    assert cluster.printed().count(" finished ") == 2


@pytest.mark.parametrize("signal", ["USR1", "USR2", "preempted"])
def test_a_long_run_that_is_stopped_and_requeued_ends_as_one_that_was_not(signal: str, cluster: Cluster) -> None:
    script = documented("long", " ".join(LONG))
    options = ("--cpus-per-task=4", "--mem=3G")
    jobs = [cluster.submit(script, *options) for _ in range(2)]
    runs = [cluster.folder / "outputs" / "train" / f"long-{job}" for job in jobs]
    wait_for(lambda: all(saved(run) for run in runs))
    cluster.run(*(URGENT if signal == "preempted" else ("scancel", f"--signal={signal}", jobs[0])))
    wait_for(lambda: "interrupted" in map(status, runs))
    stopped, whole = sorted(runs, key=lambda run: status(run) != "interrupted")
    job = stopped.name.removeprefix("long-")
    cluster.start_now(job)
    for number in jobs:
        cluster.wait_for_end(number)
    printed = (cluster.folder / f"{job}.out").read_text()
    assert f"go on with: python -m digitrec.train resume=outputs/train/long-{job}\n" in printed
    assert len(read_json(stopped / "run.json")["resumed"]) == 1
    assert [status(run) for run in runs] == ["finished", "finished"]
    assert_same_weights(stopped, whole)


def test_a_training_of_two_tasks_of_which_one_is_killed_goes_on(cluster: Cluster) -> None:
    settings = "trainer=ddp trainer.accelerator=cpu data=digits model=mlp trainer.max_epochs=60"
    script = f"#!/bin/bash\nsrun python -m digitrec.train {settings} hydra.run.dir=$1 resume=auto\n"
    (cluster.folder / "job.sh").write_text(script)
    tasks = ("--ntasks-per-node=2", "--mem=4G")
    run = cluster.folder / "killed"
    killed = cluster.run("sbatch", "--parsable", *tasks, "job.sh", "killed").strip()
    wait_for(lambda: saved(run))
    os.kill(read_json(run / "run.json")["pid"], 9)
    cluster.wait_for_end(killed)
    assert status(run) == "running"
    for name in ("killed", "whole"):
        cluster.wait_for_end(cluster.run("sbatch", "--parsable", *tasks, "job.sh", name).strip())
    assert len(read_json(run / "run.json")["resumed"]) == 1
    assert read_json(run / "run.json")["processes"] == 2
    assert_same_weights(run, cluster.folder / "whole")


def test_documented_scripts_train(cluster: Cluster) -> None:
    quick = " ".join((*SMALL, "trainer.max_epochs=1"))
    for name in ("digits", "seeds"):
        cluster.wait_for_end(cluster.submit(documented(name, quick), "--cpus-per-task=2", "--mem=3G"))
    records = [read_json(file) for file in cluster.folder.glob("outputs/train/*/run.json")]
    assert sorted(record["seed"] for record in records) == [1, 2, 3, 4, 42]
    assert {record["status"] for record in records} == {"finished"}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ("srun", "--ntasks=2"),
            "error: --ntasks=2: Lightning needs the number for each machine",
        ),
        (("srun", "--ntasks-per-node=1"), "error: trainer.devices=2 trainer.num_nodes=1 need 2 processes, but srun"),
    ],
)
def test_tasks_that_do_not_fit_are_refused_in_a_line(command: tuple[str, ...], message: str, cluster: Cluster) -> None:
    train = (sys.executable, "-m", "digitrec.train", *SMALL, "trainer=ddp", "hydra.run.dir=run")
    printed = cluster.run(*command, "--mem=4G", *train, check=False)
    lines = {line for line in printed.splitlines() if not line.startswith("srun: ")}
    assert len(lines) == 1, printed
    assert lines.pop().startswith(message)
