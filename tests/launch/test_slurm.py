"""Sweeps through submitit, by its executor for this machine; by SLURM in tests/cluster/."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from submitit.core.utils import UncompletedJobError

from digitrec.errors import needs_extra
from digitrec.launch.slurm import QueueWatcher, RobustJob
from digitrec.launch.sweep import unrecorded_failures
from tests.cluster.slurm import main
from tests.command import QUICK, Command, processes_of, read_json, with_module
from tests.waiting import wait_for

FAULTS = """
import os
import signal
from lightning.pytorch.callbacks import Callback

class Fault(Callback):
    def __init__(self, job: int) -> None:
        self.job = job

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if self.job == 3:
            1 / 0
        if self.job == 2:
            os.kill(os.getpid(), signal.SIGKILL)
"""
SWEEP = (
    "-m", "hydra/launcher=local", "hydra.sweep.dir=sweep", *QUICK, "model=mlp", "model.hidden=[8]", "data.limit=200",
    "+callbacks.fault={_target_:faults.Fault,job:${seed}}",
)  # fmt: skip


@pytest.mark.slow
def test_jobs_that_fail_or_are_killed_are_listed_and_the_others_finish(spawn_train: Command, tmp_path: Path) -> None:
    sweep = spawn_train(*SWEEP, "seed=1,2,3", env=with_module(tmp_path, FAULTS), code=1)
    assert "3 jobs in sweep" in sweep.out
    assert read_json(tmp_path / "sweep" / "seed-1" / "run.json")["status"] == "finished"
    assert "seed-2  killed" in sweep.out
    assert "seed-3 failed: ZeroDiv" in sweep.out
    assert sweep.err.count("did not finish") == 1
    assert "Traceback" not in sweep.err
    assert "resume=auto" in sweep.err


def shell_scripts(folder: Path, **commands: str) -> str:
    """The PATH with shell scripts of these names first."""
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


class Job:
    """As submitit's, without one."""

    state = "TIMEOUT"
    paths = SimpleNamespace(stderr="77_3.err")

    def __init__(self, outcome: Any, number: str = "77_3") -> None:
        self.outcome, self.job_id = outcome, number

    def results(self) -> Any:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


def test_a_job_that_never_comes_back_is_named_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    unrecorded_failures.clear()
    done = JobReturn()
    assert RobustJob(Job([done]), "slurm", []).results() == [done]
    (outcome,) = RobustJob(Job(UncompletedJobError("gone")), "slurm", []).results()
    assert (outcome.status, outcome.return_value) == (JobStatus.COMPLETED, None)
    assert unrecorded_failures == ["job 77_3 did not finish (timeout); see 77_3.err"]


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for squeue")
def test_a_job_that_squeue_has_forgotten_is_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = ("JOBID|STATE|NODELIST", "77_0|RUNNING|node3", "77_1|TIMEOUT|node4")
    squeue = "\n".join(f"echo '{line}'" for line in lines)
    monkeypatch.setenv("PATH", shell_scripts(tmp_path, squeue=squeue))
    watcher = QueueWatcher()
    jobs = ("77_0", "77_1", "77_2")
    assert [watcher.get_state(job) for job in jobs] == ["RUNNING", "TIMEOUT", "GONE"]
    assert [watcher.is_done(job) for job in jobs] == [False, True, True]


def test_slurm_here_names_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert main() == 2
    assert capsys.readouterr().err.startswith("scripts/slurm-here: munged is not installed: apt-get install slurm-wlm ")


def test_an_interrupted_wait_shows_how_to_end_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [Job([], number) for number in ("77_3", "77_4", "78_0")]
    with pytest.raises(KeyboardInterrupt):
        RobustJob(Job(KeyboardInterrupt()), "slurm", jobs).results()
    assert capsys.readouterr().err.endswith("to end them: scancel 77 78\n")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("send", "number"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)], ids=["Ctrl-C", "terminated"]
)
def test_jobs_of_a_sweep_on_this_machine_save_and_end_with_it(
    send: Callable[[int, int], None], number: signal.Signals, spawn_train: Command, tmp_path: Path
) -> None:
    command = [*SWEEP[:-1], "seed=1,2", "resume=auto", "trainer.max_epochs=3000", "data.limit=null"]
    with subprocess.Popen(
        [sys.executable, "-m", "digitrec.train", *command], cwd=tmp_path, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as sweep:  # fmt: skip
        wait_for(lambda: len(list(tmp_path.glob("sweep/*/checkpoints/last.ckpt"))) == 2 or sweep.poll() is not None)
        send(sweep.pid, number)
        printed, _ = sweep.communicate()
    assert sweep.returncode == 128 + number, printed
    assert not processes_of(sweep.pid)
    assert {read_json(file)["status"] for file in tmp_path.glob("sweep/*/run.json")} == {"interrupted"}
    assert "Traceback" not in printed


@pytest.mark.parametrize("launcher", ["slurm", "local"])
def test_without_its_extra_a_launcher_names_it(launcher: str, spawn_train: Command, tmp_path: Path) -> None:
    """A plugin that fails to import is skipped by Hydra, like one that is not there."""
    absent = tmp_path / "absent" / "sitecustomize.py"
    absent.parent.mkdir()
    absent.write_text("import sys\nsys.modules['hydra_plugins.hydra_submitit_launcher'] = None\n")
    environment = {**os.environ, "PYTHONPATH": f"{absent.parent}{os.pathsep}{Path.cwd()}"}
    refused = spawn_train("-m", f"hydra/launcher={launcher}", "seed=1,2", env=environment, code=2)
    assert refused.err == f"error: {needs_extra('this launcher', 'cluster')}\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand in for SLURM")
def test_slurm_is_asked_for_what_the_option_says(spawn_train: Command, tmp_path: Path) -> None:
    """As far as can be tested without SLURM: what sbatch gets, and that jobs it loses are named."""
    states = "JobID|State|NodeList\\n77_0|CANCELLED|\\n77_1|OUT_OF_MEMORY|"
    commands = {
        "sbatch": f'cp "$1" {tmp_path}/asked.sh; echo Submitted batch job 77',
        "sacct": f"printf '{states}\\n'",
        "srun": "",
    }
    environment = {**os.environ, "PATH": shell_scripts(tmp_path, **commands)}
    asked_for = ("hydra.launcher.partition=long", "hydra.launcher.gpus_per_node=1", "hydra.launcher.mem_gb=3")
    sweep = spawn_train("-m", "hydra/launcher=slurm", *asked_for, *QUICK, "seed=1,2", env=environment, code=1)
    asked = {line.partition(" ")[2] for line in (tmp_path / "asked.sh").read_text().splitlines() if "#SBATCH" in line}
    assert {
        "--partition=long", "--gpus-per-node=1", "--mem=3GB", "--cpus-per-task=4", "--time=240", "--array=0-1%2",
        "--signal=USR2@120",
    } <= asked  # fmt: skip
    assert "sent 2 jobs to slurm" in sweep.err
    assert "error: job 77_0 did not finish (cancelled)" in sweep.err
    assert "error: job 77_1 did not finish (out_of_memory)" in sweep.err
    assert "Traceback" not in sweep.err


def test_what_slurm_does_not_know_is_not_asked_for(run_train: Command) -> None:
    run_train("-m", "hydra/launcher=slurm", "hydra.launcher.mem=8", "seed=1,2").assert_refused(
        "hydra.launcher.mem", lines=9
    )
