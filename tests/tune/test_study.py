"""The study without a training: what is proposed, what is kept, whose a trial is."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from digitrec.errors import DigitrecError, FolderTakenError
from digitrec.tune.space import Value
from digitrec.tune.study import COMPLETE, FAILED, PRUNED, RUNNING, Study, Trial, TrialTakenError
from digitrec.tune.study_info import StudyInfo, read_study_info, write_study_info
from digitrec.tune.worker import Worker
from tests.tune.conftest import SPACE

MakeStudy = Callable[..., Study]
AS_THEY_ARE: dict[str, Value] = {"optimizer.lr": 0.003, "model.hidden": "[8]", "model.dropout": 0.2}


def value_of(trial: Trial) -> float:
    """A made-up metric with its peak at a dropout of 0.3."""
    dropout = trial.settings["model.dropout"]
    assert isinstance(dropout, float)
    return 1 - (dropout - 0.3) ** 2 - (trial.settings["model.hidden"] == "[8]") / 10


def search(study: Study, most: int) -> list[Trial]:
    while trial := study.propose("somebody", most):
        study.complete(trial.number, [value_of(trial)])
    return study.trials


def proposals(trials: list[Trial]) -> list[object]:
    return [trial.settings for trial in trials]


def test_the_same_seed_gives_the_same_proposals_also_after_a_break(make_study: MakeStudy, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "broken", "other")]
    for folder in folders:
        folder.mkdir()
    whole = search(make_study(folders[0]), 16)
    search(make_study(folders[1]), 7)
    broken = search(make_study(folders[1]), 16)
    assert proposals(whole) == proposals(broken)
    assert proposals(whole) != proposals(search(make_study(folders[2], seed=2), 16))
    assert [trial.number for trial in broken] == list(range(16))


def test_what_was_good_is_tried_more_often(make_study: MakeStudy) -> None:
    trials = search(make_study(), 40)
    early, late = trials[:10], trials[-20:]
    assert sum(map(value_of, late)) / 20 > sum(map(value_of, early)) / 10


def test_every_proposal_lies_in_the_space_and_the_first_is_what_it_was_told(make_study: MakeStudy) -> None:
    study = make_study()
    study.begin_with(AS_THEY_ARE)
    first, *others = search(study, 12)
    assert first.settings == AS_THEY_ARE
    assert all(turned.holds(trial.settings[turned.name]) for trial in others for turned in SPACE)
    study.begin_with({**AS_THEY_ARE, "model.dropout": 0.4})  # only a new study takes it
    assert study.propose("somebody", 12) is None


def test_less_of_a_loss_is_better_and_more_of_an_accuracy(make_study: MakeStudy, tmp_path: Path) -> None:
    for metric, best in (("val/loss", 0), ("val/accuracy", 2)):
        folder = tmp_path / metric.replace("/", "-")
        folder.mkdir()
        study = make_study(folder, metric=metric)
        for value in (0.1, 0.5, 0.9):
            trial = study.propose("somebody", 3)
            assert trial is not None
            study.complete(trial.number, [value - 0.05, value + 0.05])
        assert study.best is not None
        assert study.best.number == best
        assert study.trials[1].value == pytest.approx(0.5)
        assert study.trials[1].values == pytest.approx((0.45, 0.55))


def test_a_curve_below_the_median_ends_after_the_warm_up_unless_pruning_is_off(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    ended = {}
    for prune in (True, False):
        folder = tmp_path / str(prune)
        folder.mkdir()
        study = make_study(folder, prune=prune, warmup_epochs=1)
        for _ in range(5):
            trial = study.propose("somebody", 6)
            assert trial is not None
            assert not any(study.report(trial.number, epoch, 0.9) for epoch in (1, 2, 3))
            study.complete(trial.number, [0.9])
        poor = study.propose("somebody", 6)
        assert poor is not None
        ended[prune] = [study.report(poor.number, epoch, 0.5) for epoch in (1, 2, 3)]
    assert ended == {True: [False, True, True], False: [False, False, False]}


def test_what_became_of_each_trial_is_kept(make_study: MakeStudy) -> None:
    study = make_study()
    numbers = [trial.number for _ in range(4) if (trial := study.propose("somebody", 4))]
    study.report(numbers[1], 1, 0.4)
    study.complete(numbers[0], [0.9])
    study.prune(numbers[1])
    study.fail(numbers[2], "its process was killed by SIGKILL")
    kept = make_study().trials
    assert [trial.status for trial in kept] == [COMPLETE, PRUNED, FAILED, RUNNING]
    assert kept[1].curve == {1: 0.4}
    assert kept[2].error == "its process was killed by SIGKILL"
    assert make_study().propose("somebody", 4) is None  # failed ones count


def test_only_a_trial_whose_program_is_gone_changes_hands(make_study: MakeStudy, tmp_path: Path) -> None:
    study, here = make_study(), Worker(tmp_path)
    gone = study.propose(f"{here.host}_0", 2)
    assert gone is not None
    elsewhere = study.propose("another-machine_77", 2)
    assert elsewhere is not None
    with here.registered():
        (tmp_path / ".workers" / "another-machine_77").touch()
        adopted = study.adopt(here)
        assert adopted is not None
        assert adopted.number == gone.number
        assert study.adopt(here) is None
    assert study.trials[gone.number].worker == here.name


def test_a_program_that_is_started_anew_under_the_same_name_and_number_takes_up_its_trials(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    study, before, now = make_study(), Worker(tmp_path), Worker(tmp_path)
    assert before.name.startswith(f"{before.host}_{os.getpid()}")
    study.propose(before.name, 2)
    with now.registered():
        adopted = study.adopt(now)
    assert adopted is not None
    assert adopted.number == 0


def test_whoever_has_a_trial_by_now_notes_what_became_of_it_and_nobody_else(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    silent, other, worker = make_study(), make_study(), Worker(tmp_path)
    silent.propose(f"{worker.host}_0", 1)
    silent.report(0, 1, 0.4)
    with worker.registered():
        assert other.adopt(worker)
    for ended in (False, True):
        if ended:
            other.complete(0, [0.9])
        refused: list[Callable[[], object]] = [
            lambda: silent.report(0, 2, 0.1),
            lambda: silent.stop(0),
            lambda: silent.complete(0, [0.1]),
            lambda: silent.prune(0),
            lambda: silent.fail(0, "error"),
        ]
        for note in refused:
            with pytest.raises(TrialTakenError, match=f"trial 0 was taken over by {worker.name}"):
                note()
    (trial,) = make_study().trials
    assert (trial.status, trial.value, trial.curve, trial.error) == (COMPLETE, 0.9, {1: 0.4}, "")


def test_settings_that_a_person_gave_keep_all_their_digits_and_proposals_have_few(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    study, worker = make_study(), Worker(tmp_path)
    given = {**AS_THEY_ARE, "optimizer.lr": 0.0015625}
    study.begin_with(given)
    first, second = (study.propose(f"{worker.host}_0", 2) for _ in range(2))
    assert first is not None
    assert first.settings == given
    assert second is not None
    assert len(f"{second.settings['optimizer.lr']:g}".lstrip("0.")) <= 3
    with worker.registered():
        adopted = study.adopt(worker)
    assert adopted is not None
    assert adopted.settings == given


@pytest.mark.parametrize(
    "line", ["{]", "[]", "1", '{"op_code": 99}', '{"op_code": 0, "worker_id": 1}', "null", "\x00", "[" * 5000]
)
def test_a_damaged_journal_is_told_in_a_line(line: str, make_study: MakeStudy, tmp_path: Path) -> None:
    search(make_study(), 2)
    journal = tmp_path / "journal.log"
    journal.write_text(f"{line}\n{journal.read_text()}")
    with pytest.raises(DigitrecError, match=r"journal\.log: the study's journal cannot be read"):
        make_study()


def test_a_journal_that_breaks_off_in_its_last_line_goes_on(make_study: MakeStudy, tmp_path: Path) -> None:
    search(make_study(), 3)
    with (tmp_path / "journal.log").open("a") as journal:
        journal.write('{"op_code": 4, "wor')  # the machine went down
    assert len(search(make_study(), 6)) == 6
    assert [trial.number for trial in make_study().trials] == list(range(6))


@pytest.mark.parametrize("given", [False, True])
def test_a_proposal_that_was_cut_off_anywhere_becomes_whole(make_study: MakeStudy, tmp_path: Path, given: bool) -> None:
    study, journal = make_study(), tmp_path / "journal.log"
    if given:
        study.begin_with(AS_THEY_ARE)
    else:
        search(study, 2)
    before = journal.stat().st_size
    study.propose("somebody", 3)
    content = journal.read_bytes()
    lines = [place + 1 for place, byte in enumerate(content) if byte == ord("\n") and place + 1 >= before]
    assert len(lines) > len(SPACE)
    for end in (*lines, *(place + 20 for place in lines[:-1])):
        journal.write_bytes(content[:end])
        noted, worker = make_study().trials, Worker(tmp_path)
        with worker.registered():
            taken_up = make_study()
            trial = taken_up.adopt(worker) or taken_up.propose(worker.name, 3)
        assert trial is not None
        assert trial.number == (0 if given else 2)
        assert all(turned.holds(trial.settings[turned.name]) for turned in SPACE)
        assert not given or trial.settings == AS_THEY_ARE
        kept = next((one.settings for one in noted if one.number == trial.number), {})
        assert taken_up.trials[trial.number].settings.items() >= kept.items()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize("room", [0, 20, 200, 400])  # bytes: between and within entries
def test_a_journal_without_room_is_told_in_a_line_and_stays_whole(
    make_study: MakeStudy, tmp_path: Path, room: int
) -> None:
    import resource

    study, journal = make_study(), tmp_path / "journal.log"
    search(study, 2)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + room, unlimited[1]))
    try:
        with pytest.raises(DigitrecError, match=r"journal\.log cannot be written: "):
            study.propose("somebody", 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert journal.read_bytes().endswith(b"\n")
    worker = Worker(tmp_path)
    with worker.registered():
        trial = study.adopt(worker) or study.propose(worker.name, 3)
    assert trial is not None
    study.complete(trial.number, [0.5])
    assert [one.status for one in make_study().trials] == [COMPLETE] * 3


@pytest.mark.parametrize("content", ["{", "[]", "{}", "NaN", "[" * 5000, '{"overrides": 1}', None])
def test_a_record_of_nonsense_is_told_in_a_line(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "study.json"
    file.mkdir() if content is None else file.write_text(content)
    with pytest.raises(FolderTakenError, match=r"study\.json: .+; start a new search$"):
        read_study_info(tmp_path)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    info = StudyInfo.now(["model=mlp"], [], {"model": "mlp", "experiment": None})
    write_study_info(tmp_path, info)
    assert read_study_info(tmp_path) == info
