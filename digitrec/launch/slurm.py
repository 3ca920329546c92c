"""A sweep through submitit that outlives its jobs: lost ones are named, the others are still waited for."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import submitit
from hydra.core.utils import JobReturn, JobStatus
from submitit.core.utils import UncompletedJobError
from submitit.slurm.slurm import SlurmInfoWatcher

from digitrec.launch.sweep import unrecorded_failures
from digitrec.system.patches import use_submitit_executor
from digitrec.system.signals import blocked
from digitrec.system.wording import counted

CANCEL = {"slurm": "scancel"}  # a person's command to end jobs; without one the sweep ends them
SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)}  # of a terminal
# Since SLURM 22.05 srun takes the cores of a task only from here.
EXPORT_CORES = '[ -z "$SLURM_CPUS_PER_TASK" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK'
# What a job's script does after `srun`: a preempted job goes back into the queue, and one that was warned of its time
# limit too, up to `limit` times. scancel and the limit itself end the script before this.
REQUEUE = """\
code=$?
case $code in 138|140) again=$((${{SLURM_RESTART_COUNT:-0}} < {limit} )) ;; 143) again=1 ;; *) again=0 ;; esac
((again)) && scontrol requeue "${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}"
exit $code"""
RESIGNAL_S = 10.0  # until a job gets the signal to end once more
POLL_S = 0.1
QUERY_S = 60  # between two queries of SLURM for the states of jobs; submitit's own is ten minutes


class QueueWatcher(SlurmInfoWatcher):
    """States of jobs by `squeue`, for a cluster without accounting, where submitit's `sacct` fails.

    squeue forgets a job minutes after its end: a job that is no longer listed has ended.
    """

    def _make_command(self) -> list[str] | None:
        if not self._registered - self._finished:
            return None
        return ["squeue", "--me", "--array", "--states=all", "--format=%i|%T|%N"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """State of each job by its number."""
        text = string if isinstance(string, str) else string.decode()
        _, *jobs = text.splitlines()
        listed = super().read_info("\n".join(["JobID|State|NodeList", *jobs]))
        return {job: {"State": "GONE"} for job in self._registered - self._finished} | listed


class RobustExecutor(submitit.AutoExecutor):
    """Submits jobs, and notes those that never return."""

    def update_parameters(self, **parameters: Any) -> None:
        """Add to SLURM's parameters what a job's script does before and after the job."""
        if isinstance(self._executor, submitit.SlurmExecutor):
            setup = parameters.get("slurm_setup") or []
            parameters["slurm_setup"] = [*setup, EXPORT_CORES]
            parameters["slurm_teardown"] = REQUEUE.format(limit=self._executor.max_num_timeout).splitlines()
        super().update_parameters(**parameters)

    def map_array(self, *arguments: Any) -> list[Any]:
        """Submit one job for each of the arguments, and print where their output goes."""
        with blocked(SIGNALS):  # which jobs inherit: one of this machine gets the signal once, from the sweep
            jobs = super().map_array(*arguments)
        place = f"{self.folder.parent}/*/*.out"
        print(f"sent {counted(len(jobs), 'job')} to {self.cluster}; what they print: {place}", file=sys.stderr)  # noqa: T201
        return [RobustJob(job, self.cluster, jobs) for job in jobs]


class RobustJob:
    """A submitted job, for Hydra's launcher to wait for."""

    def __init__(self, job: Any, cluster: str, jobs: Sequence[Any]) -> None:
        self.job = job
        self.cluster = cluster
        self.jobs = jobs

    def results(self) -> list[JobReturn]:
        """The result of a job that has ended, in whatever way."""
        try:
            returned: list[JobReturn] = self.job.results()
        except UncompletedJobError:
            state = str(self.job.state).lower()
            unrecorded_failures.append(f"job {self.job.job_id} did not finish ({state}); see {self.job.paths.stderr}")
        except (KeyboardInterrupt, SystemExit):
            if self.cluster in CANCEL:
                numbers = " ".join(dict.fromkeys(str(job.job_id).partition("_")[0] for job in self.jobs))
                print(f"the jobs go on by themselves; to end them: {CANCEL[self.cluster]} {numbers}", file=sys.stderr)  # noqa: T201
            else:
                _end(self.jobs)
            raise
        else:
            return returned
        return [JobReturn(_return_value=None, status=JobStatus.COMPLETED)]


def _end(jobs: Sequence[Any]) -> None:
    """Have jobs of this machine save and end; their numbers are those of processes that pass signals on."""
    signalled = -RESIGNAL_S
    while running := [job for job in jobs if not job.done()]:
        if time.monotonic() - signalled >= RESIGNAL_S:  # in submitit a job ignores signals before its training begins
            signalled = time.monotonic()
            for job in running:
                os.kill(int(job.job_id), signal.SIGTERM)
        time.sleep(POLL_S)


def use_robust_executor() -> None:
    """Have Hydra's launcher, from now on and in this process, submit by a `RobustExecutor`."""
    sacct = shutil.which("sacct")
    accounting = sacct is not None and subprocess.run([sacct], capture_output=True, check=False).returncode == 0  # noqa: S603
    use_submitit_executor(RobustExecutor, (SlurmInfoWatcher if accounting else QueueWatcher)(QUERY_S))
