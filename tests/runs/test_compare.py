import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from digitrec.errors import DigitrecError
from digitrec.evaluation.comparison import paired_test
from digitrec.run_folder.run import Run, read_run
from digitrec.runs import paired_predictions
from digitrec.runs.compare import Pair, compare, difference_text, pair_entry, place
from digitrec.runs.page import write_comparison
from tests.command import Command, read_json
from tests.made_runs import make_run


def test_two_real_runs_are_compared_on_the_same_images(run_runs: Command, trained: Path, tmp_path: Path) -> None:
    outcome = run_runs("compare", "one", "two", "--in", str(trained), "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    folder = tmp_path / "outputs" / "compare" / "one_vs_two"
    assert found == read_json(folder / "compare.json") | {"page": str(folder.relative_to(tmp_path) / "compare.html")}
    assert found["settings"] == {
        "seed": {"a": 1, "b": 2},
        "trainer.max_epochs": {"a": 1, "b": 2},
    }
    test = found["test"]
    for letter, name in (("a", "one"), ("b", "two")):
        assert test[f"accuracy_{letter}"] == pytest.approx(
            read_json(trained / name / "metrics.json")["test/accuracy"], abs=1e-5
        )
    assert test["images"] == test["both_right"] + test["both_wrong"] + test["only_a"] + test["only_b"] == 359
    assert test["difference"] == pytest.approx((test["only_a"] - test["only_b"]) / 359)
    assert test["difference_low"] < test["difference"] < test["difference_high"]
    for name in ("agreement", "curves"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "compare.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 4
    assert not any(word in page for word in ("http://", "https://", "url(", "<script", "<link"))
    assert "trainer.max_epochs" in page
    assert f"{test['only_a']:,} : {test['only_b']:,}" in page


def test_the_first_of_several_runs_is_compared_with_each_other_one(run_runs: Command, trained: Path) -> None:
    asked = ("compare", "two", "one", "lost", "--in", str(trained))
    outcome = run_runs(*asked)
    assert outcome.code == 0, outcome.err
    assert [line[:2] for line in outcome.out.splitlines()[:3]] == ["A ", "B ", "C "]
    assert re.search(r"optimizer .*adamw .*adamw .*sgd", outcome.out)
    assert "A and B, 359 test images: A is alone right on" in outcome.out
    assert "A and C, no comparison on the same images" in outcome.out
    assert "one that is no chance is below 0.025" in outcome.out
    both, alone = (json.loads(run_runs(*words, "--json").out) for words in (asked, [*asked[:3], *asked[4:]]))
    assert both[0] == alone
    assert [found["b"]["name"] for found in both] == ["one", "lost"]
    assert run_runs(*asked, "--csv").out.startswith("other,what,name,a,b,difference\none,setting,")


def test_turned_round_everything_is_turned_round(trained: Path) -> None:
    a, b = (read_run(trained / name) for name in ("one", "two"))
    there, back = (pair_entry(compare(*runs, [])) for runs in ((a, b), (b, a)))
    assert there["test"]["only_a"] == back["test"]["only_b"]
    assert there["test"]["p_value"] == back["test"]["p_value"]
    assert there["test"]["difference"] == pytest.approx(-back["test"]["difference"])
    assert there["settings"]["seed"] == {"a": 1, "b": 2}
    assert back["settings"]["seed"] == {"a": 2, "b": 1}


def test_predictions_that_were_written_down_are_what_the_networks_say(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = read_run(trained / "one")
    assert paired_predictions.written(run, []) == trained / "one" / "predictions.csv"
    asked, _ = paired_predictions._predict_both(run, run)
    with monkeypatch.context() as patch:
        patch.setattr(paired_predictions, "_predict_both", None)
        read, other = paired_predictions.paired_predictions(run, run, [])
    assert torch.equal(asked, read)
    assert torch.equal(read, other)
    assert paired_test(read, "other", other).test.p_value == 1


def test_an_evaluation_counts_only_if_it_is_of_this_run_on_its_test_images(trained: Path, tmp_path: Path) -> None:
    run = read_run(trained / "two")
    kept = {name: run.record[name] for name in ("data", "data_checksum")}
    good = kept | {"checkpoints": [str(trained / "two")], "split": "test", "tta": "none", "start": "2999-01-01"}

    def evaluation(number: int, **changes: object) -> Run:
        folder = make_run(tmp_path / str(number), metrics={}, record=good | changes)
        (folder / "predictions.csv").touch()
        return read_run(folder)

    assert paired_predictions.written(run, []) is None
    fits = evaluation(0)
    wrong = [
        evaluation(1, checkpoints=[str(trained / "one")]),
        evaluation(2, checkpoints=[str(trained / "one"), str(trained / "two")]),
        evaluation(3, split="val"),
        evaluation(4, tta="small"),
        evaluation(5, data="usps"),
        evaluation(6, data_checksum="0"),
        evaluation(7, status="failed"),
        evaluation(8, start="1999-01-01"),
        evaluation(9, start=just_before(trained / "two" / "checkpoints" / "best.ckpt")),
    ]
    assert paired_predictions.written(run, wrong) is None
    assert paired_predictions.written(run, [*wrong, fits]) == fits.folder / "predictions.csv"


def just_before(file: Path) -> str:
    """Some time before a file was written, as records say it."""
    return datetime.fromtimestamp(file.stat().st_mtime - 0.002, UTC).isoformat(timespec="milliseconds")


def test_without_common_images_the_rest_is_compared(run_runs: Command, trained: Path, tmp_path: Path) -> None:
    outcome = run_runs("compare", str(trained / "one"), str(trained / "lost"))
    assert outcome.code == 0, outcome.err
    assert "no comparison on the same images: " in outcome.out
    folder = tmp_path / "outputs" / "compare" / "one_vs_lost"
    assert not (folder / "agreement.png").exists()
    assert "not compared on the same test images" in (folder / "compare.html").read_text(encoding="utf-8")
    assert "what,name,a,b,difference" in run_runs("compare", str(trained / "one"), str(trained / "lost"), "--csv").out


def test_other_data_are_no_common_images(tmp_path: Path) -> None:
    a = read_run(make_run(tmp_path / "a", metrics={}))
    b = read_run(make_run(tmp_path / "b", metrics={}, record={"data": "mnist"}))
    with pytest.raises(DigitrecError, match="trained on digits and mnist"):
        paired_predictions.paired_predictions(a, b, [])


def test_a_run_is_not_compared_with_itself(run_runs: Command, trained: Path) -> None:
    outcome = run_runs("compare", "one", str(trained / "one"), "--in", str(trained))
    assert outcome.code == 2
    assert "are the same run" in outcome.err


def test_names_become_folders_and_words(tmp_path: Path) -> None:
    a, b = (Run(tmp_path, "finished", name=name) for name in ("sweep/lr-0.1", "b <i>x</i>"))
    assert place(a, b) == Path("outputs/compare/sweep-lr-0.1_vs_b-i-x-i-")


def test_names_from_people_are_words_on_the_page_and_nothing_else(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    run = Run(tmp_path, "finished", {"command": hostile}, name=hostile)
    pair = Pair(run, run, {hostile: (hostile, None)}, {}, ([], []), why_not=hostile)
    page = write_comparison(pair, pair_entry(replace(pair, settings={})), tmp_path / "new")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 4


def test_differences_have_signs() -> None:
    assert difference_text("val/accuracy", 0.98, 0.99) == "\N{MINUS SIGN}1.00"
    assert difference_text("val/loss", 0.25, 0.125) == "+0.1250"
    assert difference_text("val/loss", 0.25, None) == ""
