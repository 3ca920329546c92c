"""Tags and notes of a run are kept with it, found again, and change nothing in it."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitrec.config.overrides import quote_note
from digitrec.launch.run_names import run_name
from digitrec.run_folder.differences import differing, unlike
from digitrec.run_folder.run import read_run
from digitrec.runs.__main__ import main
from tests.command import QUICK, Command, Outcome, only_run, read_json
from tests.made_runs import make_run

TINY = (*QUICK, "model=mlp", "model.hidden=[8]", "data.limit=200")
NOTE = "it's Anna's: wider, {a=1} costs ${2} \\ 雪\nsecond line"


@pytest.fixture
def run_runs(run_main: Callable[..., Outcome]) -> Command:
    return partial(run_main, main)


def test_tags_and_notes_are_kept_listed_and_filtered(run_train: Command, run_runs: Command, tmp_path: Path) -> None:
    run_train(*TINY, "tags=[baseline,x-1]", f"note={NOTE}", code=0)
    run = only_run(tmp_path)
    record = read_json(run / "run.json")
    assert (record["tags"], record["note"]) == (["baseline", "x-1"], NOTE)
    assert "_mlp-digits-baseline-x-1-" in run.name
    tensors = EventAccumulator(str(run)).Reload()
    texts = {name: tensors.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0] for name in ("tags", "note")}
    assert texts == {"tags": b"baseline, x-1", "note": NOTE.encode()}
    listed = run_runs("list", "--where", "tag=baseline").out
    assert "baseline x-1" in listed
    assert "it's Anna's: wider" in listed
    assert run_runs("list", "--where", "tag=other").out == ""
    (entry,) = json.loads(run_runs("list", "--json").out)
    assert (entry["tags"], entry["note"]) == (["baseline", "x-1"], NOTE)
    assert NOTE in run_runs("show", "baseline").out


def test_runs_without_tags_have_no_column_of_them(run_runs: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "outputs" / "train" / "a", metrics={"val/accuracy": 0.9}, tags=[], note=None)
    make_run(tmp_path / "outputs" / "train" / "old", metrics={"val/accuracy": 0.8})
    assert "tags" not in run_runs().out


def test_tags_and_notes_are_no_differences(tmp_path: Path) -> None:
    one = read_run(make_run(tmp_path / "one", tags=["a"], note="x"))
    other = read_run(make_run(tmp_path / "other", tags=["b"], note=None, rerun="one"))
    assert (differing([one, other]), unlike(one, other)) == ([], {})


def test_auto_resumes_a_run_with_other_tags_and_new_ones_replace_the_old(run_train: Command, tmp_path: Path) -> None:
    run_train(*TINY, "tags=[first]", "note=one", code=0)
    run = only_run(tmp_path)
    record = read_json(run / "run.json") | {"status": "interrupted"}
    (run / "run.json").write_text(json.dumps(record))
    run_train(*TINY, "tags=[second]", "resume=auto", code=0)
    record = read_json(only_run(tmp_path) / "run.json")
    assert (record["status"], record["tags"], record["note"]) == ("finished", ["second"], "one")


@pytest.mark.parametrize("tags", ["[2026]", "[' ']", "base", "['a b']", "[a/b]", f"[{'a' * 31}]", "[null]"])
def test_what_is_no_tag_is_refused_in_a_line(tags: str, run_train: Command, tmp_path: Path) -> None:
    run_train(*TINY, f"tags={tags}").assert_refused("error: tags")
    assert not list(tmp_path.glob("outputs/train/*"))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_text_can_be_a_note(text: str) -> None:
    word = quote_note(f"note={text}")
    if word == f"note={text}":  # null, or in quotes of its own
        return
    (parsed,) = OverridesParser.create().parse_overrides([word])
    assert not parsed.is_sweep_override()
    read: Any = OmegaConf.create({"note": parsed.value()})
    assert text == "???" or read.note == text
    assert quote_note(word) == word


@pytest.mark.parametrize(
    ("choices", "tags", "rerun", "name"),
    [
        ({"model": "cnn", "data": "mnist", "experiment": None}, [], None, "cnn-mnist"),
        ({"model": "cnn", "data": "mnist", "experiment": "cnn_best"}, [], None, "cnn_best-mnist"),
        ({"model": "residual", "data": "mnist", "experiment": "record"}, ["a"], None, "record-residual-mnist-a"),
        ({"model": "mlp", "data": "digits"}, ["früh", "a b"], None, "mlp-digits-fr-h-a-b"),
        ({"model": "mlp", "data": "digits"}, "no list", None, "mlp-digits"),
        ({"model": "mlp", "data": "digits"}, ["x" * 99], None, f"mlp-digits-{'x' * 49}"),
        ({}, [], "outputs/train/2026-11-21_10-00-00_mlp-digits-ab12", "rerun-mlp-digits"),
        ({}, [], "'2026-11-21_10-00-00_rerun-mlp-digits-ab12'", "rerun-mlp-digits"),
        ({}, [], "sweeps/lr-0001/", "rerun-lr-0001"),
    ],
)
def test_names_of_runs_say_what_they_are(choices: dict[str, Any], tags: Any, rerun: str | None, name: str) -> None:
    assert run_name(choices, tags, rerun) == name
