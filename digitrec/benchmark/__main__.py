"""Time digitrec beside what people would use instead: python -m digitrec.benchmark.

Everything is measured in processes of its own, one after the other, for several rounds; a figure is the median. On a
machine with other work to do only the ratios mean something.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from digitrec.benchmark.measures import EVERY_ROUND, ONCE
from digitrec.benchmark.rows import ROWS, Medians
from digitrec.evaluation.figures.speed import speeds
from digitrec.evaluation.figures.style import LIGHT
from digitrec.training.results import processor_name
from digitrec.training.run_record import run_record, write_json

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
    parser.add_argument("--only", nargs="+", default=[*EVERY_ROUND, *ONCE], metavar="NAME", help="some measurements")
    parser.add_argument("--folder", type=Path, help="for benchmark.json (default: below outputs/benchmark)")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - EVERY_ROUND.keys() - ONCE.keys():
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are {', '.join([*EVERY_ROUND, *ONCE])}")
    folder = arguments.folder or Path("outputs/benchmark") / f"{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}"
    folder.mkdir(parents=True, exist_ok=True)
    with run_record(folder) as record:
        described = machine()
        record |= described
        measured = measure(arguments.only, arguments.rounds)
        medians = {name: median(values) for name, values in measured.items()}
        write_json(folder / "benchmark.json", {"machine": described, "rows": summary(medians), "measured": measured})
        if chart := {name: medians[key] for name, key in CHART.items() if key in medians}:
            speeds(chart, LIGHT).savefig(folder / "speed.png")
    print_rows(medians)


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    import torch

    return {
        "device_name": processor_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def measure(names: list[str], rounds: int) -> dict[str, list[float]]:
    """Values of each measurement over all rounds, in its own unit."""
    repeated = [name for name in EVERY_ROUND if name in names]
    plan = repeated * rounds + [name for name in ONCE if name in names]
    measured: dict[str, list[float]] = {}
    for name in track(plan, "Measuring"):
        measured.setdefault(name, []).extend((EVERY_ROUND | ONCE)[name]())
    return measured


def summary(medians: Medians) -> list[dict[str, object]]:
    """The rows whose measurements are there, as plain values."""
    return [
        {
            "title": row.title,
            "value": row.value(medians),
            "text": row.style.format(row.value(medians)),
            "goal": row.goal,
            "met": row.met(medians),
        }
        for row in ROWS
        if medians.keys() >= set(row.needs)
    ]


def print_rows(medians: Medians) -> None:
    """The table for the terminal."""
    table = Table()
    for column in ("figure", "measured", "goal"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for row in ROWS:
        if medians.keys() >= set(row.needs):
            colour = {True: "green", False: "red", None: "default"}[row.met(medians)]
            table.add_row(row.title, f"[{colour}]{row.style.format(row.value(medians))}[/]", row.goal)
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
