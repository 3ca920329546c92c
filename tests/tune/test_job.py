"""A search and its runs' processes, whatever these do."""

import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from digitrec.tune import job, search
from digitrec.tune.job import Job, Point
from digitrec.tune.search import Search
from digitrec.tune.study import COMPLETE, PRUNED, Study, Trial
from digitrec.tune.worker import Worker
from tests.tune import made_jobs

pytestmark = pytest.mark.skipif(not job.FORKSERVER, reason="made runs fork")
MakeStudy = Callable[..., Study]
SECONDS = 20.0  # far more than anything here takes, far less than what is left behind lives


@pytest.fixture
def have_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[..., None]], None]]:
    """Say what a run's process does."""
    running: Any = forkserver._forkserver
    before = running._forkserver_pid
    monkeypatch.setattr(job, "PRELOADED", [])
    yield lambda target: monkeypatch.setattr(job, "_train", target)
    if before is None:  # real runs want one that has imported torch
        running._stop()


class Recorder:
    """Remembers what a search tells."""

    def __init__(self, *, at_point: Callable[[], object] = int, at_tick: Callable[[], object] = int) -> None:
        self.lost: list[int] = []
        self._at_point, self._at_tick = at_point, at_tick

    def began(self, trial: Trial) -> None:
        pass

    def reached(self, number: int, seed: int, point: Point) -> None:
        self._at_point()

    def ended(self, trial: Trial) -> None:
        pass

    def left(self, trial: Trial) -> None:
        self.lost.append(trial.number)

    def tick(self) -> None:
        self._at_tick()


def begin(study: Study, worker: Worker, recorder: Recorder) -> Search:
    return Search(
        study, worker, fixed=(), metric="val/accuracy", seeds=[1], trials=1, workers=1, watcher=recorder
    )  # fmt: skip


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_run_is_over_though_a_child_of_it_holds_the_connection(
    have_runs: Callable[..., None], tmp_path: Path
) -> None:
    have_runs(made_jobs.leave_a_child)
    run = Job([], tmp_path / "run")
    for epoch in range(1, made_jobs.EPOCHS + 1):
        assert run.point(SECONDS) == Point(epoch, 0.5, last=epoch == made_jobs.EPOCHS)
        run.answer(go_on=True)
    before = time.monotonic()
    assert run.point() is None
    assert run.wait(SECONDS)
    assert time.monotonic() - before < SECONDS
    assert not run.connection.poll()  # the child still holds it
    run.kill()
    assert run.connection.poll(SECONDS)
    with pytest.raises(EOFError):
        run.connection.recv()


def test_a_search_that_ends_waits_no_longer_than_its_patience(
    have_runs: Callable[..., None], make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_runs(made_jobs.hear_no_signal)
    monkeypatch.setattr(search, "SHUTDOWN_S", 0.5)
    worker = Worker(tmp_path)
    searching = begin(make_study(), worker, Recorder(at_tick=interrupt))
    before = time.monotonic()
    with worker.registered(), pytest.raises(KeyboardInterrupt):
        searching.run()
    assert time.monotonic() - before < SECONDS
    (attempt,) = searching._running
    assert attempt.job.wait(SECONDS)
    assert attempt.job.connection.poll(SECONDS)  # its child is gone, too


def test_a_run_whose_point_was_heard_gets_its_answer_also_if_the_search_is_interrupted_then(
    have_runs: Callable[..., None], make_study: MakeStudy, tmp_path: Path
) -> None:
    have_runs(made_jobs.end_between_points)
    worker = Worker(tmp_path)
    signals = iter([interrupt])
    searching = begin(make_study(), worker, Recorder(at_point=lambda: next(signals, int)()))
    before = time.monotonic()
    with worker.registered(), pytest.raises(KeyboardInterrupt):
        searching.run()
    assert time.monotonic() - before < SECONDS
    assert (tmp_path / "trial-000_seed-1" / "metrics.json").exists()


def test_a_trial_that_was_to_end_early_did_so_also_if_the_search_was_cut_off_then(
    have_runs: Callable[..., None], make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_runs(made_jobs.come_to_half)
    monkeypatch.setattr(Study, "report", lambda *point: True)
    for cut_off in (True, False):
        worker = Worker(tmp_path)
        with worker.registered(), monkeypatch.context() as patch:
            if cut_off:
                patch.setattr(Study, "prune", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    begin(make_study(), worker, Recorder()).run()
            else:
                begin(make_study(), worker, Recorder()).run()
    assert [trial.status for trial in make_study().trials] == [PRUNED]


def test_a_search_lets_go_of_a_trial_that_another_program_has_ended(
    have_runs: Callable[..., None], make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, other = Worker(tmp_path), Worker(tmp_path)

    def take_over() -> None:
        study = make_study()
        if adopted := study.adopt(other):
            study.complete(adopted.number, [0.7])

    have_runs(made_jobs.come_to_half)
    monkeypatch.setattr(Worker, "is_gone", lambda self, name: name == worker.name)
    recorder = Recorder(at_point=take_over)
    with worker.registered():
        begin(make_study(), worker, recorder).run()
    (trial,) = make_study().trials
    assert (trial.status, trial.value, trial.worker) == (COMPLETE, 0.7, other.name)
    assert recorder.lost == [0]
