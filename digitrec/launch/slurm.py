"""A sweep through submitit: jobs that are lost are named, and those beside them are still waited for.

Hydra's launcher for it would end with the first job that is killed, and leave the others to themselves.
"""

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
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

from digitrec.launch.sweep import Untold

ENDS = {"slurm": "scancel"}  # how a person ends jobs that go on by themselves; where there is none, the sweep does
SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)}  # of a terminal
# Since SLURM 22.05 srun takes the cores of a task only from here.
SHARE = '[ -z "$SLURM_CPUS_PER_TASK" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK'
# What a job's script does after `srun`: one that was preempted goes back into the queue, and one that was warned of its
# time limit does so many times. scancel and the limit itself end the script before it comes here.
REQUEUE = """\
code=$?
case $code in 138|140) again=$((${{SLURM_RESTART_COUNT:-0}} < {limit} )) ;; 143) again=1 ;; *) again=0 ;; esac
((again)) && scontrol requeue "${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}"
exit $code"""
AGAIN = 10.0  # seconds until a job is told once more to end
LOOK = 0.1  # seconds between two looks whether it has
ASK_S = 60  # seconds at most until SLURM is asked again how jobs are; submitit lets ten minutes pass


class QueueWatcher(SlurmInfoWatcher):
    """States of jobs by `squeue`, for a cluster without accounting, where `sacct`, which submitit asks, only complains.

    It forgets a job minutes after its end: one that was going on and is no longer listed has ended.
    """

    def _make_command(self) -> list[str] | None:
        if not self._registered - self._finished:
            return None
        return ["squeue", "--me", "--array", "--states=all", "--format=%i|%T|%N"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """What is known of each job, by its number."""
        text = string if isinstance(string, str) else string.decode()
        _, *jobs = text.splitlines()
        listed = super().read_info("\n".join(["JobID|State|NodeList", *jobs]))
        return {job: {"State": "GONE"} for job in self._registered - self._finished} | listed


class PatientExecutor(submitit.AutoExecutor):
    """Hands jobs on, and notes those that never come back."""

    def update_parameters(self, **parameters: Any) -> None:
        """Take what SLURM is asked for, and add what a job's script does before and after the job."""
        if isinstance(self._executor, submitit.SlurmExecutor):
            setup = parameters.get("slurm_setup") or []
            parameters["slurm_setup"] = [*setup, SHARE]
            parameters["slurm_teardown"] = REQUEUE.format(limit=self._executor.max_num_timeout).splitlines()
        super().update_parameters(**parameters)

    def map_array(self, *arguments: Any) -> list[Any]:
        """Submit one job for each of the arguments; says where their output goes."""
        # What begins here keeps these out for good: a job of this machine shall hear of the end once, from the sweep.
        earlier = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            jobs = super().map_array(*arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
        print(f"{len(jobs)} jobs go to {self.cluster}; what they print: {self.folder.parent}/*/*.out", file=sys.stderr)  # noqa: T201
        return [_Awaited(job, self.cluster, jobs) for job in jobs]


class _Awaited:
    def __init__(self, job: Any, cluster: str, jobs: Sequence[Any]) -> None:
        self.job = job
        self.cluster = cluster
        self.jobs = jobs

    def results(self) -> list[JobReturn]:
        """What Hydra wants to know of a job that has ended, however it has."""
        try:
            found: list[JobReturn] = self.job.results()
        except UncompletedJobError:
            state = str(self.job.state).lower()
            Untold.messages.append(f"job {self.job.job_id} did not finish ({state}); see {self.job.paths.stderr}")
        except (KeyboardInterrupt, SystemExit):
            if self.cluster in ENDS:
                numbers = " ".join(dict.fromkeys(str(job.job_id).partition("_")[0] for job in self.jobs))
                print(f"the jobs go on by themselves; to end them: {ENDS[self.cluster]} {numbers}", file=sys.stderr)  # noqa: T201
            else:
                _end(self.jobs)
            raise
        else:
            return found
        return [JobReturn(_return_value=None, status=JobStatus.COMPLETED)]


def _end(jobs: Sequence[Any]) -> None:
    """Have jobs of this machine save and end; their numbers are those of processes that pass a signal on."""
    told = -AGAIN
    while going_on := [job for job in jobs if not job.done()]:
        if time.monotonic() - told >= AGAIN:  # submitit has a job hear nothing before its training begins
            told = time.monotonic()
            for job in going_on:
                os.kill(int(job.job_id), signal.SIGTERM)
        time.sleep(LOOK)


def outlive_lost_jobs() -> None:
    """Have Hydra's launcher, from now on and in this process, hand jobs to a `PatientExecutor`."""
    sacct = shutil.which("sacct")
    accounting = sacct is not None and subprocess.run([sacct], capture_output=True, check=False).returncode == 0  # noqa: S603
    SlurmJob.watcher = (SlurmInfoWatcher if accounting else QueueWatcher)(ASK_S)
    submitit.AutoExecutor = PatientExecutor  # type: ignore[misc]  # where the launcher looks for it
