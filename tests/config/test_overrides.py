"""Words of a command line mean to us what they mean to Hydra."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from digitrec.config.overrides import expand_home, is_override, key_of, overrides_except, start_anew, value, value_of
from digitrec.system.terminal import Parser

WORDS = ["seed=1", "+seed=1", "++optimizer.lr=0.1", "~model", "~tags=[a]", "model@other=cnn", "note=a=b@c", "seed="]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_taken_apart_as_hydra_does(word: str) -> None:
    parsed = OverridesParser.create().parse_override(word) if "@c" not in word else None
    assert is_override(word)
    if parsed is not None:
        assert key_of(word) == parsed.key_or_group
        assert value_of(word) == (parsed.get_value_element_as_str() if "=" in word else "")
    else:
        assert (key_of(word), value_of(word)) == ("note", "a=b@c")


@pytest.mark.parametrize("word", ["-m", "--multirun", "--config-dir=x", "seed"])
def test_a_flag_is_no_override(word: str) -> None:
    assert not is_override(word)


def test_the_last_word_decides_and_null_is_nothing() -> None:
    assert value(["seed=1", "+seed=2", "~seed=3", "lr=4"], "seed") == "2"
    assert value(["resume=x", "resume=null"], "resume") is value([], "resume") is None


def test_what_takes_a_name_out_does_more_than_set_it() -> None:
    words = ["-m", "tags=[a]", "++note=b", "~note", "seed=1", "other"]
    assert overrides_except(words, ("tags", "note")) == ["~note", "seed=1"]


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("hydra.run.dir=~/runs", "hydra.run.dir=/home/anna/runs"),
        ("data.root='~/my pictures'", "data.root='/home/anna/my pictures'"),
        ("checkpoint=[~/one,~/two]", "checkpoint=[/home/anna/one,/home/anna/two]"),
        ("--output=~/net.onnx", "--output=/home/anna/net.onnx"),
        *((word, word) for word in ("~model", "~optimizer.lr", "note=~/x", "seed=1", "init_from=a~/b")),
    ],
)
def test_home_is_meant_where_a_path_begins(word: str, expanded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert expand_home(word) == expanded


def test_commands_without_settings_know_home_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    parser = Parser()
    parser.add_argument("--explain", type=Path)
    assert parser.parse_args(["--explain=~/drawn"]).explain == Path("/home/anna/drawn")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("seed=1 model.dropout=0", "seed=1 model.dropout=0"),
        ("-m optimizer.lr=1 optimizer._target_=a.B", "-m ~optimizer ++optimizer.lr=1 ++optimizer._target_=a.B"),
        (
            "optimizer=adam optimizer._target_=a.B +optimizer.x=1",
            "optimizer=adam ++optimizer._target_=a.B ++optimizer.x=1",
        ),
        (
            "model=wrap model.network._target_=a.B model.resize=3",
            "model=wrap ++model.network._target_=a.B model.resize=3",
        ),
        ("+callbacks.mine._target_=a.B callbacks.mine.x=1", "++callbacks.mine._target_=a.B ++callbacks.mine.x=1"),
    ],
)
def test_a_target_starts_its_node_anew_and_needs_no_plus(words: str, expected: str) -> None:
    assert start_anew(words.split()) == expected.split()
    assert start_anew(expected.split()) == expected.split()
