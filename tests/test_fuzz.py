"""Whatever is typed, written into a file or given as a picture: a message of a line or two, never a traceback."""

import io
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from digitrec.config import compose
from digitrec.config.schema import CONF_DIR
from digitrec.data import folder
from digitrec.errors import DigitrecError
from tests.command import Command, write_experiment

# Checked after all that is made up: a configuration that would do is refused for this, and nothing is trained.
STOP = "run_dir=/nowhere/x"
CAMPAIGN = 1000
EXAMPLES = [
    12,
    pytest.param(200, marks=pytest.mark.slow),
    pytest.param(CAMPAIGN, marks=(pytest.mark.campaign, pytest.mark.timeout(3600))),
]


def keys(node: Any, prefix: str = "") -> list[str]:
    inner = [(f"{prefix}{key}", value) for key, value in node.items()] if isinstance(node, dict) else []
    return [path for key, value in inner for path in (key, *keys(value, f"{key}."))]


KEYS = [key for key in keys(compose("train")) if key != "run_dir"]
GROUPS = [entry.name for entry in CONF_DIR.iterdir() if entry.is_dir() and entry.name != "hydra"]
letters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
scalars = st.one_of(
    st.integers().map(str), st.floats().map(str), letters, st.sampled_from(["null", "true", "''", "9" * 5000, "1e999"]),
    st.sampled_from(["${seed}", "${nope}", "${oc.env:HOME}", "${oc.decode:'['}", "${random_suffix:}", "cnn", "adam"]),
    st.sampled_from(["torch.load", "os.system", "builtins.open", "{_target_:os.system}", "[{_target_:builtins.eval}]"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.dictionaries(st.sampled_from(["a", "_target_", "lr", "1"]), inner, max_size=3).map(
            lambda items: "{" + ",".join(f"{key}:{value}" for key, value in items.items()) + "}"
        ),
        inner.map(lambda item: "[" * 300 + item),
    ),
    max_leaves=5,
)
names = st.one_of(st.sampled_from([*KEYS, *GROUPS]), letters.filter(lambda text: not text.startswith("-")))
overrides = st.one_of(
    st.builds("{}{}={}".format, st.sampled_from(["", "", "+", "++"]), names, values),
    names.map("~{}".format),
    letters.filter(lambda text: not text.startswith("-")),
)


def assert_answered(run_train: Command, *arguments: str) -> None:
    outcome = run_train(*arguments, STOP, code=2)
    assert "Traceback" not in outcome.err
    assert 1 <= len(outcome.err.strip().split("\n")) <= 4, outcome.err


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), letters, st.sampled_from(["${seed}", "os.system"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from(["_target_", "lr", "model", "defaults"]), letters), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
nested = st.dictionaries(st.sampled_from([*GROUPS, *KEYS, "defaults", "hydra_"]), plain, max_size=4)
experiments = [file.read_text(encoding="utf-8") for file in sorted(CONF_DIR.glob("experiment/*.yaml"))]


@st.composite
def damaged_experiments(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(experiments))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        text = text[:start] + draw(st.text(string.printable, max_size=8)) + text[end:]
    return text


files = st.one_of(
    letters, damaged_experiments(), nested.map(lambda node: "# @package _global_\n" + yaml.safe_dump(node))
)


def drawing() -> Image.Image:
    picture = Image.new("RGB", (40, 40), "white")
    ImageDraw.Draw(picture).ellipse((10, 5, 30, 35), outline="black", width=4)
    return picture


def saved(kind: str) -> bytes:
    buffer = io.BytesIO()
    drawing().save(buffer, kind)
    return buffer.getvalue()


PICTURES = {kind: saved(kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")}


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(list(PICTURES.values()))))
    for _ in range(draw(st.integers(0, 6))):
        near_the_start = draw(st.booleans())
        content[draw(st.integers(0, min(60, len(content) - 1) if near_the_start else len(content) - 1))] = draw(
            st.integers(0, 255)
        )
    return bytes(content[: draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])


def try_out(check: Callable[[Any], None], made_up: st.SearchStrategy[Any], examples: int) -> None:
    with_examples = settings(
        deadline=None,
        derandomize=examples < CAMPAIGN,
        suppress_health_check=list(HealthCheck),
        max_examples=examples,
    )
    with_examples(given(made_up)(check))()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_no_overrides_bring_a_traceback(examples: int, run_train: Command) -> None:
    some = st.lists(overrides, min_size=1, max_size=3)
    try_out(lambda given_overrides: assert_answered(run_train, *given_overrides), some, examples)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_no_configuration_file_brings_a_traceback(examples: int, run_train: Command, tmp_path: Path) -> None:
    try_out(lambda text: assert_answered(run_train, *write_experiment(tmp_path, text)), files, examples)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_no_picture_brings_a_traceback(examples: int, tmp_path: Path) -> None:
    def check(content: bytes) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir(exist_ok=True)
            drawing().save(tmp_path / name / "a.png")
            (tmp_path / name / "b.png").write_bytes(content)
        try:
            images, _ = folder.load(tmp_path, "train")
        except DigitrecError as error:
            assert "b.png cannot be read" in str(error)  # noqa: PT017 - a damaged picture may still be one
        else:
            assert images.shape == (2, 28, 28)

    try_out(check, damaged_pictures(), examples)
