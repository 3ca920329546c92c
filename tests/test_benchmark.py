import io
import json
import sys
from pathlib import Path

import pytest

from scripts.measure.benchmark import __main__ as benchmark
from scripts.measure.benchmark.contenders import ours
from scripts.measure.benchmark.laps import Contender, Laps
from scripts.measure.benchmark.measures import NAMES, SIZES
from scripts.measure.benchmark.rows import ROWS
from tests.command import read_json

ONES = {name: 1.0 for row in ROWS for name in row.needs}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    benchmark.main()


def test_every_row_is_measured_and_every_measurement_is_shown() -> None:
    assert ONES.keys() == {*NAMES, "keras"}


@pytest.mark.parametrize(
    ("title", "values", "text", "met"),
    [
        ("beside a bare loop with the network", {"digitrec": 12_000.0, "usual_network": 10_000.0}, "1.20 x", True),
        ("beside torchvision's data set", {"digitrec": 6.0, "tutorial": 2.0, "tutorial_workers": 1.0}, "3.00 x", False),
        ("validation each epoch", {"digitrec": 10.0, "digitrec_validated": 9.5}, "5.0%", True),
        ("time per image", {f"images_{size}": 10.0 if size > 15_000 else 8.0 for size in SIZES}, "25.0%", False),
        ("memory that training adds", {"training_memory": 900.0, "imports_memory": 450.0}, "450 MB", False),
    ],
)
def test_figures_and_targets(title: str, values: dict[str, float], text: str, *, met: bool) -> None:
    measured = {name: [value] for name, value in (ONES | values).items()}
    (row,) = (row for row in benchmark.summary(measured) if str(row["title"]).startswith(title))
    assert (row["text"], row["met"]) == (text, met)


def test_a_machine_that_changes_its_speed_changes_no_ratio() -> None:
    measured = {"digitrec": [90.0, 45.0, 9.0], "bare_loop": [100.0, 50.0, 10.0], "digitrec_float32": [30.0]}
    texts = {str(row["title"]): row["text"] for row in benchmark.summary(measured)}
    assert texts["training beside a bare loop of the same computation"] == "0.90 x"
    assert texts["bfloat16 beside float32"] == "1.50 x"


def test_rows_without_their_measurements_are_left_out() -> None:
    assert [row["title"] for row in benchmark.summary({"digitrec": [5000.0]})] == ["training, images/s"]


def test_an_epoch_may_have_any_number_of_images() -> None:
    rates = io.StringIO()
    ours(Laps(2, io.StringIO("\n\n"), rates), ["data=digits", "data.val_size=0"], size=3000)
    values = [float(line) for line in rates.getvalue().splitlines()]
    assert len(values) == 2
    assert min(values) > 0


def test_a_contender_ends_when_no_further_epoch_is_asked_for() -> None:
    with pytest.raises(SystemExit, match="no further epoch"):
        ours(Laps(2, io.StringIO("\n"), io.StringIO()), ["data=digits", "data.val_size=0"])


def test_a_contender_that_fails_says_why() -> None:
    with (
        pytest.raises(ChildProcessError, match=r"sprinter: exit status 1(.|\n)*KeyError"),
        Contender("sprinter", 1) as it,
    ):
        it.lap()


def test_the_command_measures_and_leaves_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--rounds", "2", "--only", "wrong_key", "--folder", str(tmp_path))
    left = read_json(tmp_path / "benchmark.json")
    assert len(left["measured"]["wrong_key"]) == 1
    assert left["rows"][0]["title"] == "error for a mistyped key"
    assert read_json(tmp_path / "run.json")["status"] == "finished"
    assert "mistyped key" in capsys.readouterr().out


def test_an_unknown_measurement_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "--only", "sped")
    assert "no measurement sped; there are digitrec, " in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "--rounds", "0")
    assert "--rounds 0: expected at least 1" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.mnist
def test_contenders_train_and_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("digitrec", "bare_loop_affine", "usual_network", "tutorial", "evaluation")
    run(monkeypatch, "--rounds", "1", "--only", *names, "--folder", str(tmp_path))
    measured = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))["measured"]
    assert all(len(measured[name]) == 1 and min(measured[name]) > 0 for name in names)
    assert (tmp_path / "speed.png").stat().st_size > 5000
