"""What a person sees while a search goes on, and at its end."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from digitrec.tune.display import Display
from digitrec.tune.job import Point
from digitrec.tune.results import publish
from digitrec.tune.space import Dimension, Value
from digitrec.tune.study import Study
from digitrec.tune.study_info import StudyInfo

SETTINGS = {"objective": "val/accuracy", "trials": 9, "seeds": 1, "seed": 1}


def test_lines_tell_each_trial_and_the_table_the_best_and_the_running(
    make_study: Callable[..., Study], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study()
    display = Display(study, {"objective": "val/accuracy", "trials": 9, "seeds": 2}, tmp_path)
    with display:
        for value in (0.9, 0.95, None, 0.8):
            trial = study.propose("somebody", 9)
            assert trial is not None
            display.began(trial)
            if value is None:
                study.fail(trial.number, "its process was killed by SIGKILL")
            else:
                study.complete(trial.number, [value])
            display.ended(study.trials[-1])
        going_on = study.propose("somebody", 9)
        assert going_on is not None
        display.began(going_on)
        display.reached(going_on.number, 43, Point(2, 0.93, last=False))
    said = capsys.readouterr().out
    assert "9 trials for more val/accuracy, searching optimizer.lr, model.hidden, model.dropout" in said
    assert said.count("best so far") == 2
    assert "failed" in said
    assert "its process was killed by SIGKILL" in said
    console = Console(width=120, record=True)
    console.print(display._table(), display._summary())
    table = console.export_text()
    assert table.index("95.00%") < table.index("90.00%") < table.index("80.00%")
    assert "epoch 2, seed 43: 93.00%" in table
    assert "4/9 trials, best 95.00% (trial 1), 1 failed" in table


def test_settings_that_look_like_markup_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "[bold] study"
    folder.mkdir()
    turned = Dimension("augmentation", "choice", ("[affine]", "[elastic,:cat:]"))
    study = Study(folder, [turned], metric="val/accuracy", seed=1, prune=False, warmup_epochs=0)
    before: dict[str, Value] = {"augmentation": "[affine]"}
    study.begin_with({"augmentation": "[elastic,:cat:]"})
    trial = study.propose("somebody", 9)
    assert trial is not None
    display = Display(study, SETTINGS, folder)
    display.began(trial)
    display._console.print(display._table())
    assert "[elastic,:cat:]" in capsys.readouterr().out

    study.complete(trial.number, [0.9])
    drawn = SimpleNamespace(write_pictures_and_page=lambda outcome: folder / "tune.html")
    monkeypatch.setitem(sys.modules, "digitrec.tune.page", drawn)
    info = StudyInfo([], [], {}, "python", None, {"torch": "2", "optuna": "4"}, "here", "now")
    assert publish(study, SETTINGS, info, before, ()) == 0.9
    said = capsys.readouterr().out
    assert all(words in said for words in ("[affine]", "[elastic,:cat:]", "[bold] study/tune.html"))
