"""The test images that a run reads wrong, as its predictions.csv has them: a list and a picture."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.run import Run
from digitrec.runs.json_csv import Entry
from digitrec.runs.paired_predictions import own_test_images, written
from digitrec.system.files import read_text
from digitrec.system.wording import printable

DRAWN = 15


def read_mistakes(
    run: Run, evaluations: Sequence[Run], label: str | None = None, predicted: str | None = None
) -> list[Entry]:
    """Index, label, prediction and both their probabilities of each mistake, the least probable label first.

    Args:
        run: whose test images they are of.
        evaluations: that may have its predictions.
        label: only of this class.
        predicted: only those read as this class.

    Raises:
        DigitrecError: there are no predictions, or they are damaged.
        UsageError: there is no such class.
    """
    file = written(run, evaluations)
    if file is None:
        hint = f"python -m digitrec.evaluate checkpoint={run.folder}"
        raise DigitrecError(f"{run.folder}: no predictions.csv of its test images; write one: {hint}")
    try:
        rows = list(csv.DictReader(read_text(file).splitlines()))
        found = [_entry(row) for row in rows]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise DigitrecError(f"{file}: cannot be read as predictions: {error!r}") from error
    names = [name.removeprefix("p_") for name in (rows[0] if rows else {}) if name.startswith("p_")]
    for name in (label, predicted):
        if name is not None and name not in names:
            raise UsageError(f"{name}: no such class; there are {' '.join(map(printable, names))}")
    wrong = [
        entry
        for entry in found
        if entry["label"] != entry["prediction"]
        and label in (None, entry["label"])
        and predicted in (None, entry["prediction"])
    ]
    return sorted(wrong, key=lambda entry: entry["p_label"])


def _entry(row: Mapping[str, str]) -> Entry:
    label, prediction = row["label"], row["prediction"]
    shares = {"p_label": float(row[f"p_{label}"]), "p_prediction": float(row[f"p_{prediction}"])}
    return {"index": int(row["index"]), "label": label, "prediction": prediction, **shares}


def draw_mistakes(run: Run, mistakes: Sequence[Entry], file: Path) -> int:
    """Draw the first mistakes, with their indices, as a PNG; returns how many."""
    from digitrec.reports.figures.style import LIGHT, Sheet, drawable, grey, percent

    shown = mistakes[:DRAWN]
    images = own_test_images(run).images
    if any(not 0 <= entry["index"] < len(images) for entry in shown):
        raise DigitrecError(
            f"{run.folder}: its predictions.csv is of other images than its {len(images):,} test images"
        )
    sheet = Sheet(LIGHT, len(shown), 5, lines=2, gap=0.22)
    for place, pixels in enumerate(grey(images[[entry["index"] for entry in shown]])):
        entry = shown[place]
        sheet.image(place, pixels)
        read = f"read {drawable(entry['prediction'], 9)}, {percent(entry['p_prediction'])}"
        texts = [f"is {drawable(entry['label'], 9)}, #{entry['index']}", read]
        sheet.lines(place, texts, [LIGHT.ink, LIGHT.wrong])
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.figure.savefig(file, format="png")
    return len(shown)
