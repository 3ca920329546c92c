"""The comparison of two runs as a web page and pictures."""

from pathlib import Path

from digitrec.reports.figures.comparison import agreement
from digitrec.reports.figures.curves import overlay
from digitrec.reports.page import Card, Picture, picture, write_page
from digitrec.reports.report import verdict
from digitrec.run_folder.formatting import apart, format_duration, format_metric, format_time
from digitrec.run_folder.record import write_json
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import spelled
from digitrec.runs.compare import Pair, difference_text, main_metrics, signed
from digitrec.system.wording import counted

TEMPLATE = Path(__file__).with_name("compare.html")
FACTS = ("command", "git_revision", "device_name", "precision", "parameters", "data", "data_checksum")


def write_comparison(pair: Pair, entry: dict[str, object], folder: Path) -> Path:
    """Write compare.html, compare.json, agreement.png and curves.png into a folder; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"agreement": _agreement(pair), "curves": _curves(pair)}
    for name, drawn in pictures.items():
        (folder / f"{name}.png").unlink(missing_ok=True)  # of an earlier comparison
        if drawn is not None:
            (folder / f"{name}.png").write_bytes(drawn.png)
    write_json(folder / "compare.json", entry)
    return write_page(
        TEMPLATE,
        folder / "compare.html",
        pair=pair,
        cards=_cards(pair),
        verdict=verdict(pair.comparison, "A") if pair.comparison else "",
        **pictures,
        settings=[(name, *apart(values)) for name, values in pair.settings.items()],
        metrics=[
            (name, format_metric(name, x), format_metric(name, y), difference_text(name, x, y))
            for name, (x, y) in main_metrics(pair).items()
        ],
        facts=[(name, a, b) for (name, a), (_, b) in zip(_facts(pair.a), _facts(pair.b), strict=True)],
    )


def _cards(pair: Pair) -> list[Card]:
    if pair.comparison is None:
        return []
    (accuracy_a, accuracy_b), test = pair.accuracies, pair.comparison.test
    difference, low, high = (signed(f"{100 * value:+.2f}") for value in pair.comparison.difference)
    return [
        Card("Accuracy of A", f"{accuracy_a:.2%}", f"of {counted(pair.images, 'test image')}"),
        Card("Accuracy of B", f"{accuracy_b:.2%}", "of the same images"),
        Card("Difference, in points", difference, f"95% interval {low} to {high}"),
        Card("McNemar's test", f"p = {test.p_value:.2g}", "chance of so much between equals"),
        Card("One alone right", f"{test.only_a:,} : {test.only_b:,}", "images, A : B"),
    ]


def _agreement(pair: Pair) -> Picture | None:
    return picture(
        "agreement",
        "Where they differ",
        "Every test image counts in one cell. Only the two cells in which one run alone is right show a difference.",
        lambda theme: agreement(pair.comparison, theme, _names(pair)),
    )


def _curves(pair: Pair) -> Picture | None:
    return picture(
        "curves",
        "Training and validation",
        "Both trainings epoch by epoch. Training images may have been made harder by augmentation, so compare dashed "
        "curves only between runs with the same one.",
        lambda theme: overlay(pair.epochs, _names(pair), theme),
    )


def _names(pair: Pair) -> tuple[str, str]:
    return f"A: {pair.a.name}", f"B: {pair.b.name}"


def _facts(run: Run) -> list[tuple[str, str]]:
    record = {name: run.record.get(name) for name in FACTS}
    facts = {"run": run.name, "folder": run.folder, "status": run.status, "started": format_time(run.start)}
    facts |= {"time": format_duration(run.seconds), **record}
    return [(name.replace("_", " "), _written(value)) for name, value in facts.items()]


def _written(value: object) -> str:
    """A value for a table's cell; a number of parameters with its thousands."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and value > 9999 else spelled(value)
