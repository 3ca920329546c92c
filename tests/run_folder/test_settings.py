from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from digitrec.errors import UsageError
from digitrec.run_folder.settings import decides, read_overrides, read_settings, spelled
from digitrec.system.wording import printable_lines
from tests.made_runs import make_run

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")))  # others are escaped
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
KEYS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1)
NODES = st.recursive(
    PLAIN | st.lists(PLAIN, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def flat(prefix: str, node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= flat(f"{prefix}{key}.", value) if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


@given(st.dictionaries(KEYS, NODES, max_size=5))
def test_settings_are_the_values_of_the_composition_by_dotted_names(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / ".hydra").mkdir()
    file = folder / ".hydra" / "config.yaml"
    file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    config = yaml.safe_load(file.read_text(encoding="utf-8"))  # a few old line breaks it writes otherwise than it reads
    found = read_settings(folder)
    options = {name for name, value in config.items() if isinstance(value, dict)}
    assert {name: value for name, value in found.items() if name not in options} == {
        name: value for name, value in flat("", config).items() if name not in options
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: *x\n",
        "a: 1\n---\nb: 2\n",
        "a: 'one\nb: two'\n",
        "a: [1,\nb: 2]\n",
        "a: |\n  b: 1\nc:\n- 1\n- 2\n",
        "? a\n: 1\nb: 2\n",
        "# words\na: 1\n\nb: {c: 2}\na: 3\n",
        "a: b\n  c\nd: e\n...\n",
        "- a\nb: 1\n",
        "a: 1\nb c: 2\n'd': 3\n",
    ],
)
def test_a_composition_is_read_in_parts_as_it_is_as_a_whole(text: str, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(text)
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError:
        with pytest.raises(UsageError):
            read_settings(tmp_path)
    else:
        found = read_settings(tmp_path)
        assert {name: value for name, value in found.items() if not isinstance(whole.get(name), dict)} == flat(
            "", whole
        )


@given(st.lists(st.sampled_from("ab.=[]{}:#-'\"1é\t ,~"), max_size=9).map("".join))
def test_overrides_are_the_texts_that_were_given(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"a={value}", "seed=1"], width=9999))
    assert read_overrides(folder) == [printable_lines(f"a={value}"), "seed=1"]


def test_an_option_is_called_as_it_was_chosen_or_else_by_what_it_builds(tmp_path: Path) -> None:
    several = {"affine": {"degrees": 10}, "erasing": {"aspect": 3}}
    run = make_run(tmp_path / "a", choices={"model": "tiny", "optimizer": None}, augmentation=several)
    found = read_settings(run)
    assert (found["model"], found["optimizer"], found["augmentation"]) == ("tiny", "adamw", "affine+erasing")
    assert found["augmentation.affine.degrees"] == 10
    assert "hydra/help" not in found
    assert read_settings(make_run(tmp_path / "b"))["augmentation"] == "none"


def test_without_a_composition_the_command_line_counts(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- model=cnn\n- ++optimizer.lr=0.1\n- data.limit=null\n")
    assert read_settings(tmp_path) == {"model": "cnn", "optimizer.lr": 0.1, "data.limit": None}


def test_a_folder_without_either_has_no_settings(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == {}


@pytest.mark.parametrize("text", ["model: [", "- a\n- b\n", "just words\n", "a: \x00", "a: !!python/name:os.system"])
def test_a_damaged_composition_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml:?\d*: ") as caught:
        read_settings(tmp_path)
    assert str(tmp_path / ".hydra") in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelled_value_is_read_as_that_value(value: Any) -> None:
    text = spelled(value)
    assert (float(text) if isinstance(value, float) else yaml.safe_load(text)) == value


@pytest.mark.parametrize("name", ["seed", "run_dir", "data.root", "logger", "logger.tensorboard.name", "compile"])
def test_circumstances_do_not_decide(name: str) -> None:
    assert not decides(name)


@pytest.mark.parametrize("name", ["model", "data", "data.rooted", "data.limit", "trainer.max_epochs", "callbacks.ema"])
def test_everything_else_does(name: str) -> None:
    assert decides(name)
