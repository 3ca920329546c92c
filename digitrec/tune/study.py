"""The study: its trials and their values, kept by Optuna in a journal in its folder."""

import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState

from digitrec.errors import DigitrecError
from digitrec.run_folder.ranking import lower_is_better
from digitrec.system.files import read_bytes
from digitrec.system.signals import defer_signals
from digitrec.tune.space import CHOICE, INT, LOG_UNIFORM, Dimension, Value
from digitrec.tune.worker import Worker

JOURNAL = "journal.log"
NAME = "digitrec"
RANDOM_TRIALS = 10  # drawn at random before the sampler learns from values
MIN_CURVES = 5  # trials that must have ended before one is ended early
MIN_TRIALS_FOR_IMPORTANCE = 4  # with a value

RUNNING, COMPLETE, PRUNED, FAILED = "running", "complete", "pruned", "failed"
STATUS_TEXTS = {PRUNED: "ended early", FAILED: "failed", RUNNING: "still going on"}  # shown instead of a value
STATES = {
    TrialState.RUNNING: RUNNING,
    TrialState.COMPLETE: COMPLETE,
    TrialState.PRUNED: PRUNED,
    TrialState.FAIL: FAILED,
}


class TrialTakenError(DigitrecError):
    """Another program took over a trial, as it got no heartbeat of this one."""


@dataclass(frozen=True)
class Trial:
    """Settings and their result.

    Attributes:
        number: counted from 0, over all machines.
        settings: what was proposed or given, by names.
        status: running, complete, pruned (ended early) or failed.
        value: the metric, the mean over its runs; None of one that failed or still goes on.
        curve: metric by epoch of its first run.
        values: metric of each run, in the order of their seeds.
        seconds: from its proposal to its end.
        error: why it failed.
        worker: the program that trains it.
        given: its settings were given by the user, not proposed.
        stopped: it is to end early, and may not have ended yet.
    """

    number: int
    settings: Mapping[str, Value]
    status: str
    value: float | None = None
    curve: Mapping[int, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    seconds: float | None = None
    error: str = ""
    worker: str = ""
    given: bool = False
    stopped: bool = False


class Study:
    """A study in a folder, made there if there is none.

    Args:
        folder: that several machines may share.
        space: what is searched.
        metric: name as in TensorBoard; it decides whether less or more is better.
        seed: draws the proposals, together with a trial's number and the values so far.
        prune: trials whose curve stays below the median of the others are to end early.
        warmup_epochs: epochs before which none does.

    Raises:
        DigitrecError: the journal can't be read or written.
    """

    def __init__(
        self, folder: Path, space: Sequence[Dimension], *, metric: str, seed: int, prune: bool, warmup_epochs: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.folder, self.space, self.metric, self.seed = (
            folder,
            {turned.name: turned for turned in space},
            metric,
            seed,
        )
        self.lower = lower_is_better(metric)
        self._ours: dict[int, str] = {}  # trials proposed or adopted here, and for which program
        self._pruner: BasePruner = (
            MedianPruner(n_startup_trials=MIN_CURVES, n_warmup_steps=warmup_epochs + 1) if prune else NopPruner()
        )
        with _readable(folder / JOURNAL):
            self._storage = JournalStorage(_backend(folder / JOURNAL))
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                direction="minimize" if self.lower else "maximize",
                pruner=self._pruner,
                load_if_exists=True,
            )
            self._id = self._storage.get_study_id_from_name(NAME)
            _ = self.trials  # each readable

    @property
    def trials(self) -> list[Trial]:
        """Every trial by its number."""
        return [_trial(found) for found in self._study.get_trials(deepcopy=False) if found.state in STATES]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best value, the first of equals."""
        complete = [trial for trial in self.trials if trial.status == COMPLETE and trial.value is not None]
        return min(complete, key=lambda trial: self.rank(trial.value), default=None)

    def rank(self, value: float | None) -> float:
        """A key that sorts the best first."""
        return float("inf") if value is None else value if self.lower else -value

    def begin_with(self, settings: Mapping[str, Value]) -> None:
        """Let the first trial have these settings."""
        with self._locked():
            if not self._study.get_trials(deepcopy=False):
                self._study.enqueue_trial(dict(settings), user_attrs={"given": True})

    def propose(self, worker: str, most: int) -> Trial | None:
        """A new trial for a program; None if there are `most` already."""
        with self._locked():
            if len(self.trials) >= most:
                return None
            self._study.sampler = _sampler(self.seed, len(self._study.get_trials(deepcopy=False)))
            asked = self._study.ask(self._distributions)
            asked.set_user_attr("owner", worker)
        self._ours[asked.number] = worker
        return self.tidied(next(trial for trial in self.trials if trial.number == asked.number))

    def adopt(self, worker: Worker) -> Trial | None:
        """A running trial whose program is gone, taken over by another one; None if there is none."""
        with self._locked():
            for trial in self.trials:
                if trial.status == RUNNING and trial.worker != worker.name and worker.is_gone(trial.worker):
                    whole = self._completed(trial)
                    self._storage.set_trial_user_attr(self._key(trial.number), "owner", worker.name)
                    self._ours[trial.number] = worker.name
                    return self.tidied(whole)
        return None

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Store a point of a trial's curve; returns whether the trial is to end early.

        This and the following raise TrialTakenError if another program has taken over the trial.
        """
        with self._own(number) as key:
            self._storage.set_trial_intermediate_value(key, epoch, value)
            return self._pruner.prune(self._study, self._storage.get_trial(key))

    def stop(self, number: int) -> None:
        """Note that a trial is to end early, before its run ends: a resumed search then has the reason."""
        with self._own(number) as key:
            self._storage.set_trial_user_attr(key, "stopped", True)

    def complete(self, number: int, values: Sequence[float]) -> None:
        """Note the values of the runs of a trial."""
        with self._own(number) as key:
            self._storage.set_trial_user_attr(key, "values", list(values))
            self._study.tell(number, sum(values) / len(values))

    def prune(self, number: int) -> None:
        """Note that a trial was ended early; the last point of its curve counts."""
        with self._own(number):
            self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, error: str) -> None:
        """Note why a trial failed."""
        with self._own(number) as key:
            self._storage.set_trial_user_attr(key, "error", error)
            self._study.tell(number, state=TrialState.FAIL)

    def importance(self) -> dict[str, float]:
        """Share of the spread of values that each setting accounts for, the greatest first; empty if unknown.

        By fANOVA (Hutter, Hoos and Leyton-Brown, 2014).
        """
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances  # brings scikit-learn, seconds

        values = {trial.value for trial in self.trials if trial.status == COMPLETE}
        complete = sum(trial.status == COMPLETE for trial in self.trials)
        if complete < MIN_TRIALS_FOR_IMPORTANCE or len(values) == 1:
            return {}
        return get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=self.seed))

    def tidied(self, trial: Trial) -> Trial:
        """A trial with rounded numbers, as they are used; the journal keeps all digits of a proposal."""
        if trial.given:
            return trial
        return replace(trial, settings={name: self.space[name].tidy(value) for name, value in trial.settings.items()})

    def _key(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)

    def _completed(self, trial: Trial) -> Trial:
        """A trial with all its settings, also if its program ended while it proposed them, one by one."""
        if len(trial.settings) == len(self.space):
            return trial
        self._study.sampler = _sampler(self.seed, trial.number)
        asked = optuna.Trial(self._study, self._key(trial.number))
        for name, distribution in self._distributions.items():
            asked._suggest(name, distribution)  # takes those that are there as they are
        return replace(trial, settings=asked.params)

    @property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return {turned.name: _distribution(turned) for turned in self.space.values()}

    @contextmanager
    def _own(self, number: int) -> Iterator[int]:
        """The key of a trial; no other program can adopt it within the block."""
        with self._locked():
            trial = next(trial for trial in self.trials if trial.number == number)
            if trial.status != RUNNING or trial.worker != self._ours.get(number):
                raise TrialTakenError(f"trial {number} was taken over by {trial.worker}")
            yield self._key(number)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the study against other programs that share its folder.

        Raises:
            DigitrecError: the journal cannot be written; its content stays whole.
        """
        try:
            with (
                FileLock(self.folder / ".study.lock"),
                defer_signals(),
            ):  # a signal must not interrupt Optuna's own lock
                try:
                    yield
                except OSError:
                    _mend(self.folder / JOURNAL)  # the next entry would continue the broken line
                    raise
        except OSError as error:
            raise DigitrecError(f"{self.folder / JOURNAL} cannot be written: {error.strerror or error}") from error


def _sampler(seed: int, number: int) -> TPESampler:
    """TPE (Bergstra et al., 2011) that draws from a seed and the trial's number alone.

    So a search that was interrupted makes the proposals that it would have made; no two machines make the same.
    """
    # 2**31 - 1 is prime: seeds and numbers that people use never meet.
    drawn = (seed * 1_000_003 + number) % (2**31 - 1)
    return TPESampler(n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True, seed=drawn)


def _backend(journal: Path) -> JournalFileBackend:
    # The way that is safe over NFS; Windows has no such links for everybody.
    lock = (JournalFileOpenLock if sys.platform == "win32" else JournalFileSymlinkLock)(str(journal))
    lock.acquire()
    try:
        _mend(journal)
    finally:
        lock.release()
    return JournalFileBackend(str(journal), lock_obj=lock)


def _mend(journal: Path) -> None:
    """Take off a last line that was never written to its end: Optuna would go on writing in it, and never read past."""
    content = read_bytes(journal, None) if journal.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(journal, whole)


@contextmanager
def _readable(journal: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Optuna fails on files that are not its own
        raise DigitrecError(f"{journal}: the study's journal cannot be read: {error}; start a new search") from error


def _distribution(turned: Dimension) -> BaseDistribution:
    if turned.kind == CHOICE:
        return CategoricalDistribution(turned.values)
    if turned.kind == INT:
        return IntDistribution(*turned.values)
    low, high = turned.values
    return FloatDistribution(low, high, log=turned.kind == LOG_UNIFORM)


def _trial(found: FrozenTrial) -> Trial:
    noted, began, ended = found.user_attrs, found.datetime_start, found.datetime_complete
    return Trial(
        number=found.number,
        settings=dict(found.params),
        status=STATES[found.state],
        value=found.value,
        curve=dict(found.intermediate_values),
        values=tuple(noted.get("values", ())),
        seconds=((ended or datetime.now()) - began).total_seconds() if began else None,
        error=noted.get("error", ""),
        worker=noted.get("owner", ""),
        given=noted.get("given", False),
        stopped=noted.get("stopped", False),
    )
