"""Make the shipped weights from a run, with a card of their results: scripts/weights outputs/train/<run>.

A second argument is another file to write: to compare runs before one is chosen, or several of one recipe.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitrec.build import trained_on
from digitrec.data import datasets
from digitrec.data.datasets import Split
from digitrec.data.synthetic.written import written_digits
from digitrec.evaluation.calibration import divide_logits, fit_temperature
from digitrec.evaluation.metrics import summarise
from digitrec.evaluation.predictions import Predictions, predict
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_checkpoint, write_portable
from digitrec.models.classifier import DigitClassifier
from digitrec.models.plain import plain_layers
from digitrec.recognition.rejection import certainties, threshold_for
from digitrec.run_folder.record import read_record
from digitrec.weights import HANDWRITING

KEPT = ("seed", "parameters", "data", "data_checksum", "device_name", "threads", "precision", "git_revision")
UNSEEN = 5000, 77  # digits written by rule and their seed, which no training has


def main() -> None:
    """Write the weights and print their card."""
    parser = argparse.ArgumentParser(prog="scripts/weights", description=__doc__)
    parser.add_argument("run", type=Path, help="run folder, such as outputs/train/...")
    parser.add_argument("file", type=Path, nargs="?", default=HANDWRITING, help="to be written (default: %(default)s)")
    given = parser.parse_args()
    run, file = given.run, given.file
    if not run.is_dir():
        parser.error(f"{run}: no such folder, expected that of a run")
    checkpoint = run / "checkpoints" / "last.ckpt"  # the best would be chosen on the images held out
    record, classifier = read_record(run), load_classifier(checkpoint)
    sources = _held_out(classifier, run)
    # Smoothed labels and the uniform targets of images without a digit leave it less confident than accurate.
    found = predict([classifier], sources["validation"])
    temperature = fit_temperature(found.probabilities, found.labels)
    divide_logits(classifier, temperature, sources["validation"].images[:100])
    test = predict([classifier], datasets.load("mnist", "test"))
    figures = summarise(test.probabilities, test.labels, test.class_names)
    threshold, rejection = _rejection(classifier, sources, test)
    card = {
        "command": record["command"],
        **{name: record.get(name) for name in KEPT},
        "torch": record["versions"]["torch"],
        "test": {name: round(figures[name], 5) for name in ("accuracy", "loss", "calibration_error")},
        "temperature": round(temperature, 3),
        "not_a_digit": rejection,
        "licence": "MIT, as digitrec; trained on MNIST (LeCun, Cortes and Burges) and on digits written by rule",
    }
    whole = read_checkpoint(checkpoint) | {"state_dict": classifier.state_dict()}
    write_portable(whole, card, file, threshold, plain_layers(classifier))
    sys.stdout.write(f"{json.dumps(card, indent=2)}\n{file}: {file.stat().st_size:,} bytes\n")


def _held_out(classifier: DigitClassifier, run: Path) -> dict[str, Split]:
    """Digits of people that the network has not seen: MNIST's, and those that come with scikit-learn."""
    data = trained_on(classifier, str(run))
    data.setup("validate")
    return {"validation": data.splits["val"], "other_people": datasets.load("digits", "test")}


def _rejection(
    classifier: DigitClassifier, held_out: dict[str, Split], test: Predictions
) -> tuple[float, dict[str, Any]]:
    """The certainty that 99 % of people's held-out digits reach, and what share of each source does."""
    found = {name: _certainties(classifier, split) for name, split in held_out.items()}
    threshold = threshold_for(np.concatenate(list(found.values())))
    found |= {"written": _certainties(classifier, written_digits(*UNSEEN))}
    found |= {"test": certainties(test.probabilities.numpy())}
    accepted = {name: round(float((values >= threshold).mean()), 4) for name, values in found.items()}
    return threshold, {"certainty": "of the two most probable digits", "threshold": threshold, "accepted": accepted}


def _certainties(classifier: DigitClassifier, split: Split) -> NDArray[np.float32]:
    return certainties(predict([classifier], split).probabilities.numpy())


if __name__ == "__main__":
    main()
