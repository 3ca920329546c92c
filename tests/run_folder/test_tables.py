import pytest

from digitrec.run_folder.formatting import (
    apart,
    format_duration,
    format_metric,
    format_size,
    format_spread,
    format_time,
    short_names,
)
from digitrec.run_folder.groups import Spread


def test_what_long_lists_share_becomes_dots() -> None:
    assert apart(["a+b+c", "a+b+c+ema", None]) == ["…", "…+ema", ""]
    assert apart(["affine", "affine+erasing"]) == ["affine", "affine+erasing"]
    assert apart([0.1, [32, 64], None]) == ["0.1", "[32,64]", ""]
    assert apart([]) == []


def test_heads_are_short_where_they_can_be() -> None:
    assert short_names(["optimizer.lr", "model"]) == {"optimizer.lr": "lr", "model": "model"}
    assert short_names(["a.lr", "b.lr"]) == {"a.lr": "a.lr", "b.lr": "b.lr"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("val/accuracy", 0.98765, "98.77%"),
        ("test/f1_7", 0.5, "50.00%"),
        ("val/loss", 0.0433819, "0.0434"),
        ("val/loss", 1.2e-5, "1.2e-05"),
        ("val/loss", 0.0, "0"),
        ("train/images_per_second", 12345.6, "12,346"),
        ("test/r2", None, ""),
    ],
)
def test_figures_are_as_people_read_them(name: str, value: float | None, text: str) -> None:
    assert format_metric(name, value) == text


def test_spreads_have_their_deviation_in_the_same_unit() -> None:
    assert format_spread("val/accuracy", Spread(0.98, 0.0025, 3)) == "98.00% ± 0.25 (3)"
    assert format_spread("val/loss", Spread(0.5, 0.25, 2)) == "0.5000 ± 0.2500 (2)"
    assert format_spread("val/loss", Spread(0.5, None, 1)) == "0.5000 (1)"
    assert format_spread("val/loss", None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (7200, "2 h 00 min")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (2_700_000, "2.7 MB"), (123_000_000, "123 MB")]
)
def test_sizes(count: int, text: str) -> None:
    assert format_size(count) == text


def test_what_is_no_time_is_not_shown() -> None:
    assert format_time("") == format_time("soon") == ""
    assert format_time("2026-11-21T10:00:00.000+00:00").startswith("2026-11-2")
