import csv
import io
import json
from pathlib import Path

from tests.command import Command


def test_mistakes_are_the_rows_of_predictions_that_are_wrong(run_runs: Command, trained: Path, tmp_path: Path) -> None:
    with (trained / "one" / "predictions.csv").open(encoding="utf-8") as stream:
        wrong = [row for row in csv.DictReader(stream) if row["label"] != row["prediction"]]
    asked = ("mistakes", "one", "--in", str(trained))
    found = json.loads(run_runs(*asked, "--json").out)
    assert sorted(entry["index"] for entry in found) == [int(row["index"]) for row in wrong]
    assert [entry["p_label"] for entry in found] == sorted(entry["p_label"] for entry in found)
    label, read = wrong[0]["label"], wrong[0]["prediction"]
    pair = [row["index"] for row in wrong if (row["label"], row["prediction"]) == (label, read)]
    outcome = run_runs(*asked, "--label", label, "--predicted", read, "-o", "x/nines.png", "--csv")
    assert sorted(row["index"] for row in csv.DictReader(io.StringIO(outcome.out))) == sorted(pair)
    assert (tmp_path / "x" / "nines.png").read_bytes().startswith(b"\x89PNG")
    assert f"of {len(pair)} mistakes" in outcome.err
    assert f"#{pair[0]} " in run_runs(*asked, "--label", label).out


def test_what_is_missing_is_one_line(run_runs: Command, trained: Path) -> None:
    outcome = run_runs("mistakes", "one", "--in", str(trained), "--label", "x")
    assert (outcome.code, outcome.err) == (2, "error: x: no such class; there are 0 1 2 3 4 5 6 7 8 9\n")
    outcome = run_runs("mistakes", "two", "--in", str(trained))
    assert outcome.code == 1
    assert "no predictions.csv of its test images; write one: python -m digitrec.evaluate checkpoint=" in outcome.err
