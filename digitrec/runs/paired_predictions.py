"""The predictions of two runs for the same test images: from files of reports, else by the networks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digitrec.errors import DigitrecError
from digitrec.run_folder.run import Run

if TYPE_CHECKING:  # torch takes seconds to import
    from torch import Tensor

    from digitrec.data.datasets import Split
    from digitrec.models.classifier import DigitClassifier

PairedPredictions = tuple["Tensor", "Tensor"]  # (N,) bool each: which images either run classifies correctly
FILE = "predictions.csv"


def paired_predictions(a: Run, b: Run, evaluations: Sequence[Run]) -> PairedPredictions:
    """Which of the same test images the best checkpoints of two runs classify correctly.

    Args:
        a: one run.
        b: another.
        evaluations: their predictions are used where both runs have some.

    Raises:
        DigitrecError: a run has no checkpoint, or there are no test images that both were made for.
    """
    if a.record.get("data") != b.record.get("data"):
        raise DigitrecError(f"they were trained on {a.record.get('data')} and {b.record.get('data')}")
    file, other = written(a, evaluations), written(b, evaluations)
    same = a.record.get("data_checksum") == b.record.get("data_checksum")  # two folders may have the same labels
    return (_read(file, other) if file and other and same else None) or _predict_both(a, b)


def written(run: Run, evaluations: Sequence[Run]) -> Path | None:
    """File with the predictions of a run's best checkpoint on its test images; None if there is none."""
    reported = [run.folder / FILE] if run.settings.get("test") is not False else []
    evaluated = [evaluation.folder / FILE for evaluation in evaluations if _is_of(evaluation, run)]
    return next((file for file in [*reported, *evaluated] if file.is_file()), None)


def _is_of(evaluation: Run, run: Run) -> bool:
    """Whether an evaluation is of this run alone, of its present best checkpoint, on its own test images."""
    record, checkpoint = evaluation.record, run.folder / "checkpoints" / "best.ckpt"
    paths = record.get("checkpoints")
    places = [Path(str(path)).resolve() for path in paths] if isinstance(paths, list) else []
    return (
        places in ([run.folder.resolve()], [checkpoint.resolve()])
        and (record.get("split"), record.get("tta")) == ("test", "none")
        and all(record.get(name) == run.record.get(name) for name in ("data", "data_checksum"))
        and evaluation.status == run.status == "finished"
        and checkpoint.is_file()
        and evaluation.start > _written(checkpoint)
        and all(evaluation.settings.get(name) == run.settings.get(name) for name in ("data.limit", "data.part"))
    )


def _written(file: Path) -> str:
    """When a file was written: ISO 8601 in UTC, whole milliseconds, as in run.json."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")


def _read(a: Path, b: Path) -> PairedPredictions | None:
    """The content of two files, if they are about the same images."""
    from digitrec.evaluation.predictions import read_csv

    (labels, right), (other_labels, other_right) = read_csv(a), read_csv(b)
    return (right, other_right) if labels == other_labels and labels else None


def _predict_both(a: Run, b: Run) -> PairedPredictions:
    import torch

    from digitrec.build import find_device
    from digitrec.evaluation.predictions import predict
    from digitrec.models.checkpoint import load_classifier
    from digitrec.models.precision import native_precision
    from digitrec.system.patches import quiet_libraries

    quiet_libraries()
    device = find_device("accelerator", "auto")
    pairs = [(run, load_classifier(run.folder).to(device)) for run in (a, b)]
    splits = [_test_images(classifier, run) for run, classifier in pairs]
    if not all(map(torch.equal, *splits)) or pairs[0][1].class_names != pairs[1][1].class_names:
        raise DigitrecError("their test images are not the same")
    native = native_precision(device)
    right, other_right = (
        predict([classifier], splits[0], precision=_as_tested(run, native), task=f"Predicting, {run.name}").correct
        for run, classifier in pairs
    )
    return right, other_right


def _as_tested(run: Run, native: str) -> str:
    """The precision that a run was tested with, unless this device would have to emulate it."""
    return native if run.record.get("precision") == "bf16-mixed" else "32-true"


def own_test_images(run: Run) -> Split:
    """The test images of a run, from the data set that its best checkpoint names."""
    from digitrec.models.checkpoint import load_classifier
    from digitrec.system.patches import quiet_libraries

    quiet_libraries()
    return _test_images(load_classifier(run.folder), run)


def _test_images(classifier: DigitClassifier, run: Run) -> Split:
    from digitrec.build import trained_on

    datamodule = trained_on(classifier, str(run.folder))
    datamodule.prepare_data()
    datamodule.setup("test")
    return datamodule.splits["test"]
