"""Make a run's probabilities as sure as they are right: python -m digitrec.calibrate outputs/train/<run>.

The result is a new checkpoint beside the run's own, checkpoints/calibrated.ckpt, for every command that takes one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitrec.errors import UsageError
from digitrec.run_folder import named_network
from digitrec.system.terminal import Parser, end_with
from digitrec.system.wording import counted, shown

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong argument shall not wait for it
    from digitrec.data.datamodule import DigitDataModule
    from digitrec.data.datasets import Split
    from digitrec.evaluation.predictions import Predictions
    from digitrec.models.classifier import DigitClassifier

RESULT = "calibrated.ckpt"
HEADS = {"loss": "NLL", "brier": "Brier", "calibration_error": "ECE"}  # of the table's columns, by name in the file
DECIMALS = {"loss": 4, "brier": 4, "calibration_error": 4, "mean_set_size": 3}  # the others are shares


def main() -> None:
    """Entry point of the command line.

    Raises:
        SystemExit: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    parser = Parser(prog="python -m digitrec.calibrate", description=__doc__)
    parser.add_argument("run", help="run folder (its last checkpoint), a part of a run's name, or a .ckpt file")
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument("--accept", type=_share, metavar="SHARE", help="reject all but this share of images: 0.99")
    threshold.add_argument(
        "--risk",
        type=_share,
        metavar="SHARE",
        help="reject so many that less than this share of the others is wrong, 95 %% sure: 0.001",
    )
    parser.add_argument(
        "--coverage", type=_share, metavar="SHARE", help="sets of classes that hold the right one so often: 0.99"
    )
    arguments = parser.parse_args()
    end_with(lambda: _calibrate(arguments))


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a share between 0 and 1, as in 0.99")
    return value


def _calibrate(arguments: argparse.Namespace) -> None:
    file = _source(named_network(arguments.run) or "")  # torch takes seconds to import
    from digitrec import build
    from digitrec.evaluation.calibration import divide_logits, fit_temperature
    from digitrec.evaluation.predictions import predict
    from digitrec.models.checkpoint import load_classifier, training_history
    from digitrec.models.checkpoint_file import read_content, write_checkpoint
    from digitrec.run_folder.record import write_json
    from digitrec.system.patches import quiet_libraries

    quiet_libraries()
    content, classifier = read_content(file), load_classifier(file)
    _check(arguments, content, classifier, file)
    datamodule = build.trained_on(classifier, str(file))
    split = _held_out(datamodule, classifier, file)
    before = predict([classifier], split)
    old = _figures(before, classifier.threshold, _quantile(before, arguments.coverage))
    temperature = fit_temperature(before.probabilities, before.labels)
    divide_logits(classifier, temperature, split.images[:100])
    after = predict([classifier], split)
    threshold = _threshold(arguments, before, after, classifier.threshold)
    quantile = _quantile(after, arguments.coverage)
    images = {name: getattr(datamodule, name) for name in build.SPLITTING}
    calibration = {
        "temperature": temperature,
        "accept": arguments.accept,
        "risk": arguments.risk,
        "conformal": None if quantile is None else {"coverage": arguments.coverage, "quantile": quantile},
        "images": images | {"count": len(split.labels), "checksum": datamodule.checksum},
    }
    target = file.with_name(RESULT)
    about = content["digitrec"] | {"threshold": threshold, "calibration": calibration}
    history = {"callbacks": {"History": {"epochs": training_history(file)}}}
    write_checkpoint({"state_dict": classifier.state_dict(), "digitrec": about, **history}, target)
    figures = {"before": old, "after": _figures(after, threshold, quantile)}
    report = {"checkpoint": str(file), "threshold": threshold, **calibration, **figures}
    write_json(target.with_name("calibration.json"), report)
    if file.stem.startswith("best"):
        print(f"{file.name} was chosen on the images held out: figures and promises are a little too good")  # noqa: T201
    _print(report, counted(len(split.labels), "image"), datamodule.dataset, target)


def _source(path: str) -> Path:
    """The checkpoint to calibrate: of a run the last one, since the best was chosen on the images held out."""
    from digitrec.weights import find_checkpoint

    last = Path(path).expanduser() / "checkpoints" / "last.ckpt"
    return last if last.is_file() else find_checkpoint(path)


def _check(arguments: argparse.Namespace, content: dict[str, Any], classifier: DigitClassifier, file: Path) -> None:
    from digitrec.build import data_settings
    from digitrec.data.labels import are_digits

    if "calibration" in content["digitrec"]:
        raise UsageError(f"{file}: calibrated already; give the checkpoint that it came from")
    if not data_settings(classifier):
        raise UsageError(f"{file}: does not name the data it was trained on; give a run of digitrec.train")
    wished = "--accept" if arguments.accept else "--risk" if arguments.risk else None
    if wished and not are_digits(classifier.class_names):
        raise UsageError(f"{wished}: only networks of the digits 0 to 9 reject; leave it out, or use --coverage")


def _held_out(datamodule: DigitDataModule, classifier: DigitClassifier, file: Path) -> Split:
    """The images held out from the training, without those of no digit; UsageError if they may have been trained on."""
    from digitrec.build import reason_seen
    from digitrec.data.datasets import Split
    from digitrec.data.labels import NO_DIGIT
    from digitrec.run_folder.record import RECORD, read_record

    if reason := reason_seen(classifier, str(file), datamodule):
        raise UsageError(f"{reason}; calibrate a run that has images held out from all of its training")
    datamodule.prepare_data()
    run = file.parent.parent
    if (run / RECORD).is_file() and read_record(run).get("data_checksum", datamodule.checksum) != datamodule.checksum:
        raise UsageError(f"{run}: its images have changed since, and may be parted in another way; train it again")
    datamodule.setup("validate")
    images, labels = datamodule.splits["val"]
    digits = labels != NO_DIGIT
    if not digits.any():
        raise UsageError(f"{file}: no images were held out (data.val_size=0); train with some, as in data.val_size=0.1")
    return Split(images[digits], labels[digits])


def _threshold(
    arguments: argparse.Namespace, before: Predictions, after: Predictions, old: float | None
) -> float | None:
    """As wished, else what accepts as many images as the network's own threshold did, on the new scale."""
    from digitrec.evaluation.calibration import risk_threshold
    from digitrec.recognition.rejection import certainties, threshold_for

    values, accept = certainties(after.probabilities.numpy()), arguments.accept
    if arguments.risk:
        return min(1.0, risk_threshold(values, after.correct.numpy(), arguments.risk))
    if accept is None and old is not None:
        accept = float((certainties(before.probabilities.numpy()) >= old).mean())
    return None if accept is None else min(1.0, threshold_for(values, accept))


def _quantile(found: Predictions, coverage: float | None) -> float | None:
    from digitrec.evaluation.calibration import conformal_quantile

    return None if coverage is None else conformal_quantile(found.probabilities, found.labels, coverage)


def _figures(found: Predictions, threshold: float | None, quantile: float | None) -> dict[str, float]:
    from digitrec.evaluation.calibration import brier_score, prediction_sets
    from digitrec.evaluation.metrics import calibration_error, log_loss, reliability
    from digitrec.recognition.rejection import certainties

    probabilities, labels = found.probabilities, found.labels
    accepted = certainties(probabilities.numpy()) >= (threshold or 0.0)
    wrong = ~found.correct.numpy()
    figures = {
        "accuracy": found.correct.double().mean().item(),
        "loss": log_loss(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "calibration_error": calibration_error(reliability(probabilities, labels)),
        "accepted": float(accepted.mean()),
        "wrong_of_accepted": float((wrong & accepted).sum() / max(1, accepted.sum())),
    }
    if quantile is not None:
        figures["mean_set_size"] = prediction_sets(probabilities, quantile).sum(dim=1).double().mean().item()
    return figures


def _print(report: dict[str, Any], images: str, dataset: str, target: Path) -> None:
    from digitrec.evaluation.calibration import LOWEST

    def cell(name: str, value: float) -> str:
        return f"{value:.{DECIMALS[name]}f}" if name in DECIMALS else f"{value:.2%}"

    rows = [["", *(HEADS.get(name, name.replace("_", " ")) for name in report["before"])]]
    rows += [[when, *(cell(*pair) for pair in report[when].items())] for when in ("before", "after")]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    threshold, sets = report["threshold"], report["conformal"]
    facts = [f"temperature {report['temperature']:.3f}"]
    facts += [f"threshold {threshold:.4f}"] if threshold is not None else []
    facts += [f"sets of the classes with p >= {1 - sets['quantile']:.4f}"] if sets else []
    print(f"{', '.join(facts)}; from {images} of {dataset} held out, and on these:")  # noqa: T201
    print("\n".join(lines))  # noqa: T201
    if report["temperature"] < LOWEST * 1.001:
        print(f"{LOWEST} is the lowest temperature: hold out more images, with some mistakes among them")  # noqa: T201
    print(f"{shown(target)}\nnext: python -m digitrec.evaluate checkpoint={shown(target)}")  # noqa: T201


if __name__ == "__main__":
    main()
