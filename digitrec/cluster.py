"""A sweep through submitit: jobs that are lost are named, and those beside them are still waited for.

Hydra's launcher for it would end with the first job that is killed, and leave the others to themselves.
"""

import sys
from typing import Any

import submitit
from hydra.core.utils import JobReturn, JobStatus
from submitit.core.utils import UncompletedJobError

from digitrec.sweep import Untold

ENDS = {"slurm": "scancel"}  # how a person ends jobs that go on by themselves


class PatientExecutor(submitit.AutoExecutor):
    """Hands jobs on, and notes those that never come back."""

    def map_array(self, *arguments: Any) -> list[Any]:
        """Submit one job for each of the arguments; says where their output goes."""
        jobs = super().map_array(*arguments)
        numbers = [str(job.job_id) for job in jobs]
        print(f"{len(jobs)} jobs go to {self.cluster}; what they print: {self.folder.parent}/*/*.out", file=sys.stderr)  # noqa: T201
        return [_Awaited(job, self.cluster, numbers) for job in jobs]


class _Awaited:
    def __init__(self, job: Any, cluster: str, numbers: list[str]) -> None:
        self.job = job
        self.cluster = cluster
        self.numbers = numbers

    def results(self) -> list[JobReturn]:
        """What Hydra wants to know of a job that has ended, however it has."""
        try:
            found: list[JobReturn] = self.job.results()
        except UncompletedJobError:
            state = str(self.job.state).lower()
            Untold.messages.append(f"job {self.job.job_id} was lost ({state}); see {self.job.paths.stderr}")
        except (KeyboardInterrupt, SystemExit):
            if self.cluster in ENDS:
                numbers = " ".join(dict.fromkeys(number.partition("_")[0] for number in self.numbers))
                print(f"the jobs go on by themselves; to end them: {ENDS[self.cluster]} {numbers}", file=sys.stderr)  # noqa: T201
            raise
        else:
            return found
        return [JobReturn(_return_value=None, status=JobStatus.COMPLETED)]


def outlive_lost_jobs() -> None:
    """Have Hydra's launcher, from now on and in this process, hand jobs to a `PatientExecutor`."""
    submitit.AutoExecutor = PatientExecutor  # type: ignore[misc]  # where the launcher looks for it
