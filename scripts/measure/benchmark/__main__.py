"""Time digitrec beside what people would use instead: python -m scripts.measure.benchmark.

Everything is measured in processes of its own. What trains does so in turn, an epoch each, for several rounds; a figure
is the median. On a machine with other work to do only the ratios mean something.
"""

import argparse
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from digitrec.reports.figures.style import LIGHT
from digitrec.run_folder.record import run_record, write_json
from digitrec.training.results import processor_name
from scripts.measure.benchmark.chart import speeds
from scripts.measure.benchmark.measures import NAMES, measurements
from scripts.measure.benchmark.rows import ROWS, Measured

COLOURS = {"True": "green", "False": "red", "None": "default"}
CHART = {
    "digitrec": "digitrec",
    "bare loop, same computation": "bare_loop",
    "bare loop, usual network": "usual_network",
    "Keras, fit": "keras",
    "DataLoader, LightningModule": "tutorial",
}


def main() -> None:
    """Entry point of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often most is measured (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=NAMES, metavar="NAME", help="some measurements")
    parser.add_argument("--folder", type=Path, help="for benchmark.json (default: below outputs/benchmark)")
    arguments = parser.parse_args()
    if unknown := set(arguments.only).difference(NAMES):
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if "keras" not in NAMES:
        print("Keras is left out: KERAS_PYTHON names no Python that has keras and tensorflow-cpu")
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: expected at least 1")
    folder = arguments.folder or Path("outputs/benchmark") / f"{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}"
    folder.mkdir(parents=True, exist_ok=True)
    with run_record(folder) as record:
        described = machine()
        record |= described
        measured = measure(arguments.only, arguments.rounds)
        rows = summary(measured)
        write_json(folder / "benchmark.json", {"machine": described, "rows": rows, "measured": measured})
        if chart := {name: median(measured[key]) for name, key in CHART.items() if key in measured}:
            speeds(chart, LIGHT).savefig(folder / "speed.png")
    print_rows(rows)


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    import torch

    return {
        "device_name": processor_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def measure(names: Collection[str], rounds: int) -> dict[str, list[float]]:
    """Values of each measurement over all rounds, in its own unit."""
    steps, values = measurements(names, rounds)
    measured: dict[str, list[float]] = {}
    for name, value in track(values, "Measuring", total=steps):
        if value is not None:
            measured.setdefault(name, []).append(value)
    return measured


def summary(measured: Measured) -> list[dict[str, object]]:
    """The rows whose measurements are there, as plain values."""
    shown = [(row, row.figure(measured)) for row in ROWS if measured.keys() >= set(row.needs)]
    return [
        {
            "title": row.title,
            "value": figure,
            "text": row.style.format(figure),
            "goal": row.goal,
            "met": row.met(figure),
        }
        for row, figure in shown
    ]


def print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """The table for the terminal."""
    table = Table()
    for column in ("figure", "measured", "goal"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for row in rows:
        colour = COLOURS[str(row["met"])]
        table.add_row(str(row["title"]), f"[{colour}]{row['text']}[/]", str(row["goal"]))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
