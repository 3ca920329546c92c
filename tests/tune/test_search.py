"""Real searches on the embedded digits: whatever becomes of a trial or of the search, the study stays whole."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from digitrec.run_folder.find import find_runs
from digitrec.tune.study import COMPLETE, FAILED, PRUNED, RUNNING, Study, Trial
from tests.command import MOUNTS, Command, read_json, works
from tests.forked import Forked
from tests.tune.conftest import QUICK
from tests.waiting import wait_for

Start = Callable[..., Forked]

FAULTS = """
import os
import signal
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Fault(Callback):
    def __init__(self, folder: str) -> None:
        self.number = int(Path(folder).name[6:9])

    def on_train_start(self, trainer, pl_module) -> None:
        match self.number:
            case 1: 1 / 0
            case 2: os.kill(os.getpid(), signal.SIGKILL)
            case 3: pl_module.head[0].weight.data.fill_(float("nan"))
            case 4: os._exit(7)
"""


def study_folder(folder: Path) -> Path:
    (study,) = (folder / "outputs" / "tune").iterdir()
    return study


def trials(folder: Path) -> list[Trial]:
    return Study(folder, (), metric="val/accuracy", seed=1, prune=False, warmup_epochs=0).trials


def test_a_search_leaves_runs_and_an_experiment_that_trains(
    run_tune: Command, run_train: Command, tmp_path: Path
) -> None:
    outcome = run_tune(*(part for part in QUICK if part != "logger=none"), "trials=2", "workers=2", "seed=5")
    assert outcome.code == 0, outcome.err
    study = study_folder(tmp_path)
    tried = trials(study)
    assert [(trial.number, trial.status) for trial in tried] == [(n, COMPLETE) for n in range(2)]
    assert tried[0].settings["optimizer.lr"] == 0.003

    runs = find_runs([tmp_path / "outputs"], note=lambda line: pytest.fail(line))
    assert sorted(run.folder.name for run in runs) == [f"trial-{n:03}_seed-5" for n in range(2)]
    assert all(run.status == "finished" and run.seed == 5 for run in runs)
    assert not any(name.startswith("test/") for run in runs for name in run.metrics)
    content = (
        EventAccumulator(str(runs[0].folder)).Reload().summary_metadata["_hparams_/session_start_info"].plugin_data
    )
    columns = HParamsPluginData.FromString(content.content).session_start_info.hparams
    assert {"optimizer.lr", "model.dropout", "model.hidden"} <= set(columns)
    assert not {"lr", "dropout", "hidden"} & set(columns)  # none twice, by a long name and a short

    best = max(tried, key=lambda trial: (trial.value or 0, -trial.number))
    recipe = study / "conf" / "experiment" / "best.yaml"
    content = yaml.safe_load(recipe.read_text())
    assert f"the best of 2 trials, number {best.number}" in recipe.read_text().lower()
    assert content["model"]["hidden"] == json.loads(str(best.settings["model.hidden"]))
    again = run_train(f"--config-dir={study}/conf", "experiment=best", "seed=5", "test=false", "hydra.run.dir=again")
    assert again.code == 0, again.err
    assert read_json(tmp_path / "again" / "metrics.json")["val/accuracy"] == best.values[0]

    assert (study / "history.png").is_file()
    assert "://" not in (study / "tune.html").read_text()
    assert "2 trials for more val/accuracy" in outcome.out
    assert outcome.out.count("\ntrial ") == 2


@pytest.mark.slow
def test_trials_that_are_killed_or_diverge_are_recorded_and_the_search_goes_on(
    run_tune: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report_and_kill(study: Study, number: int, epoch: int, value: float) -> bool:
        if number in (1, 2):
            run = read_json(study.folder / f"trial-{number:03}_seed-42" / "run.json")
            os.kill(run["pid"], {1: signal.SIGKILL, 2: signal.SIGTERM}[number])
        return report(study, number, epoch, value)

    def propose_too_much(study: Study, worker: str, most: int) -> Trial | None:
        trial = propose(study, worker, most)
        if trial is None or trial.number != 3:
            return trial
        return replace(trial, settings={**trial.settings, "optimizer.lr": 1e30})

    report, propose = Study.report, Study.propose
    monkeypatch.setattr(Study, "report", report_and_kill)
    monkeypatch.setattr(Study, "propose", propose_too_much)
    outcome = run_tune(*QUICK, "optimizer=sgd", "tune.optimizer.lr.log_uniform=[0.01,0.2]", "trials=5")
    assert outcome.code == 0, outcome.err
    tried = trials(study_folder(tmp_path))
    assert [trial.status for trial in tried] == [COMPLETE, FAILED, FAILED, FAILED, COMPLETE]
    for number, reason in {1: "SIGKILL", 2: "ended by a signal", 3: "diverged"}.items():
        assert reason in tried[number].error
        assert tried[number].error in outcome.out
    killed = read_json(study_folder(tmp_path) / "trial-001_seed-42" / "run.json")
    assert killed["status"] == "failed"


@pytest.mark.slow
def test_trials_that_fail_are_recorded_and_the_search_goes_on(start_tune: Start, tmp_path: Path) -> None:
    (tmp_path / "faults.py").write_text(FAULTS)
    path = f"{tmp_path}{os.pathsep}{Path.cwd()}"
    fault = "+callbacks.fault={_target_:faults.Fault,folder:${run_dir}}"
    search = start_tune(*QUICK, fault, "trials=6", "workers=2", PYTHONPATH=path, DIGITREC_ALLOW="faults")
    out, err = search.wait(timeout=200)[1:]
    assert search.returncode == 0, err
    tried = trials(study_folder(tmp_path))
    assert [trial.status for trial in tried] == [COMPLETE, FAILED, FAILED, FAILED, FAILED, COMPLETE]
    for number, reason in {1: "ZeroDivisionError", 2: "SIGKILL", 3: "diverged", 4: "exit code 7"}.items():
        assert reason in tried[number].error
        assert tried[number].error in out
        row = EventAccumulator(str(study_folder(tmp_path) / f"trial-{number:03}_seed-42")).Reload().summary_metadata
        end = HParamsPluginData.FromString(row["_hparams_/session_end_info"].plugin_data.content)
        assert end.session_end_info.status == STATUS_FAILURE
    assert "4 failed" in out
    assert "Traceback" not in out + err


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not works(MOUNTS), reason="this system lets nobody mount a file system of their own")
def test_a_search_stops_on_a_full_disk_and_loses_no_trial(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    script = """
        mount -t tmpfs -o size=2m none study
        "$@" trials=40 hydra.run.dir=study
        echo "exit code $?"
        mount -o remount,size=64m study
        "$@" trials=$(($(ls -d study/trial-* | wc -l) + 1)) resume=study && cp study/journal.log .
    """
    command = [*MOUNTS, "sh", "-c", script, "sh", sys.executable, "-m", "digitrec.tune", *QUICK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "exit code 1" in done.stdout) == (0, True), done
    assert "error: the disk is full: " in done.stderr
    assert "python -m digitrec.tune resume=study" in done.stderr
    assert "Traceback" not in done.stderr
    tried = trials(tmp_path)
    assert len(tried) > 2
    assert {trial.status for trial in tried} == {COMPLETE}


def test_a_search_whose_every_trial_fails_stops(run_tune: Command, tmp_path: Path) -> None:
    outcome = run_tune(*QUICK, "trials=20", "data.root=/nowhere", "init_from=nothing")
    assert outcome.code == 1
    assert "the first 5 trials have all failed; the last one: init_from: nothing" in outcome.err


@pytest.mark.slow
def test_a_poor_trial_is_ended_early_and_is_no_failure(
    run_tune: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_is_poor(study: Study, number: int, epoch: int, value: float) -> bool:
        return report(study, number, epoch, value) or (number == 1 and epoch == 2)

    report = Study.report
    monkeypatch.setattr(Study, "report", second_is_poor)
    outcome = run_tune(*QUICK, "trainer.max_epochs=5", "trials=2", "seeds=2")
    assert outcome.code == 0, outcome.err
    study = study_folder(tmp_path)
    whole, poor = trials(study)
    assert (whole.status, poor.status) == (COMPLETE, PRUNED)
    assert whole.value == pytest.approx(sum(whole.values) / 2)
    assert (list(whole.curve), list(poor.curve)) == ([1, 2, 3, 4, 5], [1, 2])
    assert read_json(study / "trial-001_seed-42" / "run.json")["status"] == "finished"
    assert read_json(study / "trial-001_seed-42" / "metrics.json")["epoch"] <= 2
    assert not (study / "trial-001_seed-43").exists()
    assert "ended early" in outcome.out


@pytest.mark.parametrize(
    "number",
    [pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)],
)
def test_a_search_that_was_cut_off_goes_on_with_its_numbers_intact(
    number: signal.Signals, start_tune: Start, run_tune: Command, tmp_path: Path
) -> None:
    with start_tune(*QUICK, "trainer.max_epochs=20", "prune=false", "trials=3", "workers=2") as search:
        wait_for(lambda: len(list(tmp_path.glob("outputs/tune/*/trial-*/checkpoints/last.ckpt"))) >= 2)
        if number == signal.SIGINT:
            os.killpg(search.pid, number)  # as a terminal does
        else:
            search.send_signal(number)
        _, _, err = search.wait(timeout=60)
    study = study_folder(tmp_path)
    assert search.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number], err
    if number != signal.SIGKILL:
        assert f"go on with: python -m digitrec.tune resume=outputs/tune/{study.name}" in err
    assert "Traceback" not in err
    before = trials(study)
    assert [trial.status for trial in before] == [RUNNING, RUNNING]
    resumed = run_tune(f"resume=outputs/tune/{study.name}", "workers=1")
    assert resumed.code == 0, resumed.err
    after = trials(study)
    assert [(trial.number, trial.status) for trial in after] == [(n, COMPLETE) for n in range(3)]
    assert [trial.settings for trial in after[:2]] == [trial.settings for trial in before]
    assert all(max(trial.curve) == 20 and len(trial.curve) >= 19 for trial in after)  # one may be said to the dead
    taken_up = [read_json(study / f"trial-{n:03}_seed-42" / "run.json") for n in range(2)]
    assert all(len(record["resumed"]) == 1 for record in taken_up)


def test_a_finished_study_takes_more_trials_but_no_other_settings(run_tune: Command, tmp_path: Path) -> None:
    run_tune(*QUICK, "trials=1")
    place = f"resume=outputs/tune/{study_folder(tmp_path).name}"
    refused = run_tune(*QUICK, "optimizer.eps=1e-7", place)
    assert refused.code == 2
    assert "optimizer.eps=1e-7: resume=" in refused.err
    taken = run_tune(*QUICK, place.replace("resume", "hydra.run.dir"))
    assert (taken.code, "holds a study already; go on with it: resume=" in taken.err) == (2, True)
    more = run_tune(*QUICK, "trials=2", place)
    assert more.code == 0, more.err
    assert "resumed after 1 trial" in more.out
    assert len(trials(study_folder(tmp_path))) == 2


@pytest.mark.slow
def test_two_programs_share_a_study(start_tune: Start, tmp_path: Path) -> None:
    with start_tune(*QUICK, "trials=6", "hydra.run.dir=shared") as one:
        wait_for(lambda: (tmp_path / "shared" / "trial-000_seed-42").exists())
        with start_tune("resume=shared") as other:
            said = [program.wait(timeout=200) for program in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), said
    tried = trials(tmp_path / "shared")
    assert [(trial.number, trial.status) for trial in tried] == [(n, COMPLETE) for n in range(6)]
    assert len({trial.worker for trial in tried}) == 2
    assert len({str(trial.settings) for trial in tried}) == 6
