"""The search itself: proposes settings, trains them, reports their results to the study."""

import errno
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

from digitrec.config.overrides import spelled_path
from digitrec.errors import DigitrecError
from digitrec.run_folder.record import RECORD
from digitrec.run_folder.run import is_held, read_metrics
from digitrec.run_folder.settings import spelled
from digitrec.system.wording import shown, typed
from digitrec.tune.failures import log_failure
from digitrec.tune.job import Job, Point
from digitrec.tune.space import Value
from digitrec.tune.study import COMPLETE, FAILED, Study, Trial, TrialTakenError
from digitrec.tune.worker import Worker

SHUTDOWN_S = 60.0  # for runs to save and end
POLL_S = 0.5  # longest time between two checks
MIN_FREE_BYTES = 2**20  # on the disk, less than any run needs
MAX_FAILURES = 5  # of trials before any succeeds
TRIAL_CURVE = "digitrec.training.trial.TrialCurve"


class Watcher(Protocol):
    """Gets the events of a search."""

    def began(self, trial: Trial) -> None:
        """A trial is being trained."""

    def reached(self, number: int, seed: int, point: Point) -> None:
        """A run of a trial has come to the end of an epoch."""

    def ended(self, trial: Trial) -> None:
        """A trial is over, however it ended."""

    def left(self, trial: Trial) -> None:
        """Another program took over a trial."""

    def tick(self) -> None:
        """Some time has passed."""


@dataclass
class _Attempt:
    """A trial that is being trained: its present run, and the values of those before."""

    trial: Trial
    job: Job
    seed: int
    values: list[float] = field(default_factory=list)
    stopped: bool = False
    taken: bool = False


class Search:
    """Works on a study until it has as many trials as it should.

    Args:
        study: its trials.
        worker: this program.
        fixed: arguments of every run.
        metric: to search by.
        seeds: of the runs of each trial; the curve of the first one decides whether it ends early.
        trials: how many there should be, those of other machines counted.
        workers: runs at a time.
        watcher: gets the events.
    """

    def __init__(
        self,
        study: Study,
        worker: Worker,
        *,
        fixed: Sequence[str],
        metric: str,
        seeds: Sequence[int],
        trials: int,
        workers: int,
        watcher: Watcher,
    ) -> None:
        self.study, self.worker, self.watcher = study, worker, watcher
        self._fixed, self._metric, self._seeds = fixed, metric, seeds
        self._trials, self._workers = trials, workers
        self._running: list[_Attempt] = []

    def run(self) -> None:
        """Search; at the end, however it comes, running trials save and end.

        Raises:
            DigitrecError: the first trials have all failed, or the disk is full.
        """
        try:
            while True:
                while len(self._running) < self._workers and (trial := self._next()):
                    self._begin(trial)
                if not self._running:
                    return
                self._poll()
        finally:
            self._end_jobs()

    def _next(self) -> Trial | None:
        return self.study.adopt(self.worker) or self.study.propose(self.worker.name, self._trials)

    def _begin(self, trial: Trial) -> None:
        """Start the first run of a trial."""
        self.watcher.began(trial)
        self._train(trial, self._seeds[0], [])

    def _train(self, trial: Trial, seed: int, values: list[float]) -> None:
        folder = run_folder(self.study.folder, trial.number, seed)
        self._wait_for(folder)
        job = Job(_arguments(folder, self._fixed, trial, seed, self._metric), folder)
        self._running.append(_Attempt(trial, job, seed, values, trial.stopped))

    def _wait_for(self, folder: Path) -> None:
        """Wait for a process in a run folder, such as one of a program that has ended, to save and end."""
        patience = time.monotonic() + SHUTDOWN_S
        while is_held(folder) and time.monotonic() < patience:
            self.worker.heartbeat(time.monotonic())
            time.sleep(0.1)

    def _poll(self) -> None:
        """Wait for reports of runs, and act on them."""
        ready = set(wait([sign for attempt in self._running for sign in attempt.job.signs], POLL_S))
        for attempt in [attempt for attempt in self._running if ready.intersection(attempt.job.signs)]:
            if (point := attempt.job.point()) is None:
                attempt.job.wait()
                self._running.remove(attempt)
            self._handle(attempt, point)
        self.worker.heartbeat(time.monotonic())
        self.watcher.tick()

    def _handle(self, attempt: _Attempt, point: Point | None) -> None:
        """Act on a point of a run, or on its end, unless another program took over the trial."""
        try:
            if attempt.taken:
                pass
            elif point is None:
                self._take(attempt)
            else:
                self._keep(attempt, point)
        except TrialTakenError:
            attempt.taken = True
            attempt.job.end()
            self.watcher.left(attempt.trial)
        if point is not None:
            attempt.job.answer(go_on=not attempt.stopped)

    def _keep(self, attempt: _Attempt, point: Point) -> None:
        """Report a point of a run, and whether it is to end early."""
        number = attempt.trial.number
        if attempt.seed == self._seeds[0] and self.study.report(number, point.epoch, point.value) and not point.last:
            self.study.stop(number)
            attempt.stopped = True
        self.watcher.reached(number, attempt.seed, point)

    def _take(self, attempt: _Attempt) -> None:
        """Report the value of a run that has ended, and start the next run of the trial, if any."""
        number = attempt.trial.number
        value = read_metrics(attempt.job.folder).get(self._metric)
        if error := attempt.job.failure() or (None if value is not None else f"it has no {self._metric}"):
            _check_room(self.study.folder, error)
            self.study.fail(number, error)
            log_failure(attempt.job.folder, attempt.trial.settings)
        elif attempt.stopped:
            self.study.prune(number)
        else:
            assert value is not None
            values = [*attempt.values, value]
            if len(values) < len(self._seeds):
                self._train(attempt.trial, self._seeds[len(values)], values)
                return
            self.study.complete(number, values)
        trials = self.study.trials
        self.watcher.ended(next(trial for trial in trials if trial.number == number))
        _check_failures(trials)

    def _end_jobs(self) -> None:
        for attempt in self._running:
            attempt.job.end()
            if attempt.job.waits:  # a signal came between its point and the answer
                attempt.job.answer(go_on=not attempt.stopped)
        patience = time.monotonic() + SHUTDOWN_S
        for attempt in self._running:
            while (point := attempt.job.point(_left(patience))) is not None:  # it may wait for an answer
                self._handle(attempt, point)
            if not attempt.job.wait(_left(patience)):
                attempt.job.kill()


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def run_folder(study: Path, number: int, seed: int) -> Path:
    """Folder of a run of a trial."""
    return study / f"trial-{number:03}_seed-{seed}"


def _arguments(folder: Path, fixed: Sequence[str], trial: Trial, seed: int, metric: str) -> list[str]:
    """Arguments of digitrec.train: a new run, or one that is resumed."""
    if (folder / RECORD).is_file() and (folder / ".hydra" / "config.yaml").is_file():
        flags = [argument for argument in fixed if argument.startswith("-")]
        return [*flags, f"resume={spelled_path(shown(folder))}"]
    turned = ",".join(f"{name}:{_quoted(value)}" for name, value in trial.settings.items())
    return [
        *fixed,
        *(f"{name}={spelled(value)}" for name, value in trial.settings.items()),
        f"seed={seed}",
        "test=false",
        f"+callbacks.trial={{_target_:{TRIAL_CURVE},monitor:{metric},turned:{{{turned}}}}}",
        f"hydra.run.dir={spelled_path(shown(folder))}",
    ]


def _quoted(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else spelled(value)


def _check_room(study: Path, error: str) -> None:
    """Raise DigitrecError if a run failed because the disk is full, as every other run would."""
    if os.strerror(errno.ENOSPC) in error or shutil.disk_usage(study).free < MIN_FREE_BYTES:
        place = spelled_path(shown(study))
        raise DigitrecError(f"the disk is full: {error}\nfree some room, then: {typed('tune')} resume={place}")


def _check_failures(trials: Sequence[Trial]) -> None:
    failed = [trial for trial in trials if trial.status == FAILED]
    if len(failed) >= MAX_FAILURES and not any(trial.status == COMPLETE for trial in trials):
        raise DigitrecError(f"the first {len(failed)} trials have all failed; the last one: {failed[-1].error}")
