"""The table of a sweep's jobs, from the files they left."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from digitrec.errors import DigitrecError
from digitrec.run_folder.epochs import progress
from digitrec.run_folder.ranking import usual_metric
from digitrec.run_folder.run import Run, read_run
from digitrec.run_folder.settings import read_settings
from digitrec.system.wording import counted

METRICS = ("val/accuracy", "test/accuracy", "train/images_per_second")


unrecorded_failures: list[str] = []  # failures of sweep jobs that left no run.json


def print_sweep(folder: Path) -> int:
    """Print a row for each job: how it ended, the settings that vary, its figures; returns how many did not finish."""
    from digitrec.run_folder.tables import print_runs  # imports rich, which --help can do without

    jobs = sorted((_job(path.parent) for path in folder.glob("*/.hydra")), key=lambda job: job.start)
    metric, title = usual_metric(jobs), f"{counted(len(jobs), 'job')} in {folder}"
    how_far = {job.name: progress(job) for job in jobs}
    print_runs(jobs, list(dict.fromkeys([*METRICS, metric])), title, how_far, metric)
    return sum(job.status != "finished" for job in jobs)


def _job(folder: Path) -> Run:
    try:
        run = read_run(folder)
    except DigitrecError:
        run = Run(folder, "failed", {"error": "ended before it could start its record"})
        with suppress(DigitrecError):  # the disk was full, or it was killed while it wrote them
            run = replace(run, settings=read_settings(folder))
    return replace(run, name=folder.name)
