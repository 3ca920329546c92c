"""Evaluate a trained network and write a report: python -m digitrec.evaluate checkpoint=<run folder or file>."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig

from digitrec.config.check import check, check_path
from digitrec.config.schema import EvaluateConfig
from digitrec.errors import DigitrecError, UsageError
from digitrec.launch import launch
from digitrec.run_folder.composition import keep_composition
from digitrec.run_folder.record import run_record, write_json
from digitrec.system.wording import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omegaconf import DictConfig
    from torch import Tensor

    from digitrec.data.datamodule import DigitDataModule
    from digitrec.data.datasets import Split
    from digitrec.models.classifier import DigitClassifier


def main() -> None:
    """Entry point of the command line."""
    launch(_task, "evaluate")


def _task(cfg: DictConfig, run_dir: Path) -> float:
    with run_record(run_dir, prepare=partial(keep_composition, cfg, run_dir)) as record:
        settings = check(cfg, EvaluateConfig)
        given = settings["checkpoint"]
        paths = [given] if isinstance(given, str) else list(given)
        for path in paths:
            check_path("checkpoint", path)
        if settings["against"] is not None:
            if settings["split"] == "out_of_fold":
                raise UsageError(
                    "against: not with split=out_of_fold, where each image is read by its own fold's network"
                )
            check_path("against", settings["against"])
        from digitrec.data.folder import check_pictures  # numpy and Pillow, not torch

        check_pictures(settings["data"] or {})
        metrics = _run(settings, paths, run_dir, record)
    return metrics[f"{settings['split']}/accuracy"]


def _run(settings: dict[str, Any], paths: list[str], run_dir: Path, record: dict[str, Any]) -> dict[str, float]:
    from digitrec import build
    from digitrec.data.datasets import is_parted
    from digitrec.models.checkpoint import training_history
    from digitrec.models.precision import native_precision
    from digitrec.system.patches import quiet_event_writer, quiet_libraries

    quiet_libraries()
    quiet_event_writer()
    device = build.find_device("accelerator", settings["accelerator"])
    classifiers = [_load("checkpoint", path).to(device) for path in paths]
    other = settings["against"] and (settings["against"], _load("against", settings["against"]).to(device))
    _check_different([*paths, *([settings["against"]] if other else [])])
    everyone = dict(zip(paths, classifiers, strict=True)) | (dict([other]) if other else {})
    datamodule = _datamodule(settings, classifiers[0], paths[0])
    if settings["split"] in ("val", "out_of_fold"):
        _check_held_out(datamodule, everyone, settings["split"])
    splits, readers = _read(datamodule, settings["split"])
    if readers is not None:
        classifiers = _by_fold(everyone, datamodule)
    if settings["split"] == "test" and is_parted(datamodule.dataset, datamodule.root):
        warnings.warn(
            f"tested on {len(splits['test'].labels)} pictures, a fifth of each class in {datamodule.root}: "
            "the others are what training reads; train/<class>/ and test/<class>/ in it choose otherwise",
            stacklevel=2,
        )
    record |= {
        "checkpoints": [str(Path(path).absolute()) for path in paths],
        "model": " + ".join(type(classifier).__name__ for classifier in classifiers),
        "parameters": sum(parameter.numel() for model in classifiers for parameter in model.parameters()),
        "data": datamodule.dataset,
        "split": settings["split"],
        "part": datamodule.part if settings["split"] == "test" else None,
        "tta": HydraConfig.get().runtime.choices["tta"],
        "views": {key: value for key, value in settings["tta"].items() if key != "_target_"},
        "device": str(device),
        "precision": native_precision(device) if settings["precision"] == "auto" else settings["precision"],
        "data_checksum": datamodule.checksum,
    }
    print(  # noqa: T201
        f"{record['model']} on {datamodule.dataset}, {settings['split']} images, {device}, {record['precision']}\n"
        f"report folder: {shown(run_dir)}",
        flush=True,
    )
    from digitrec.reports.publish import report  # matplotlib and scikit-learn: after the first line

    metrics = report(
        classifiers,
        splits,
        settings["split"],
        record,
        run_dir,
        readers=readers,
        writers=_writers(datamodule, settings["split"]),
        tta=build.build_optional("tta", settings["tta"]),
        robustness_images=settings["robustness"],
        other=other,
        history=training_history(paths[0]),
    )
    write_json(run_dir / "metrics.json", metrics)
    return metrics


def _check_different(paths: list[str]) -> None:
    from digitrec.weights import find_checkpoint

    files = [find_checkpoint(path).resolve() for path in paths]
    if twice := [path for number, path in enumerate(paths) if files[number] in files[:number]]:
        raise UsageError(f"{twice[0]}: this network is named twice; give each one once")


def _load(key: str, path: str) -> DigitClassifier:
    from digitrec.models.checkpoint import load_classifier

    try:
        return load_classifier(path)
    except DigitrecError as error:  # nothing has been started
        raise UsageError(f"{key}: {error}") from error


def _datamodule(settings: dict[str, Any], classifier: DigitClassifier, path: str) -> DigitDataModule:
    """The data set asked for, else the one that the checkpoint was trained on."""
    from digitrec import build

    if settings["data"]:
        datamodule = build.build_datamodule(settings | {"seed": 0})
    else:
        datamodule = build.trained_on(classifier, path)
    if not set(datamodule.class_names) <= set(classifier.class_names):
        raise UsageError(
            f"{datamodule.dataset} has {_listed(datamodule.class_names)}, the checkpoint was trained for "
            f"{_listed(classifier.class_names)}; choose data with these classes, or some of them"
        )
    datamodule.classes = classifier.class_names  # a folder may hold only some of them
    return datamodule


def _read(datamodule: DigitDataModule, split: str) -> tuple[Mapping[str, Split], Tensor | None]:
    """The images, and for `out_of_fold`, which reads no test image, the fold (N,) of each."""
    datamodule.prepare_data()
    if split == "out_of_fold":
        images, folds = datamodule.out_of_fold()
        return {split: images}, folds
    datamodule.setup()
    return datamodule.splits, None


def _writers(datamodule: DigitDataModule, split: str) -> Tensor | None:
    """Number (N,) of the writer of each image that is evaluated, where it is known."""
    from digitrec.data.datasets import writers

    if split == "out_of_fold":
        return writers(datamodule.dataset, datamodule.root)
    return datamodule.test_writers if split == "test" else None


def _check_held_out(datamodule: DigitDataModule, classifiers: dict[str, DigitClassifier], split: str) -> None:
    """Refuse images that one of the classifiers may have been trained on."""
    from digitrec.build import reason_seen

    if split == "out_of_fold" and datamodule.folds is None:
        raise UsageError("split=out_of_fold: for the runs of a cross-validation, as with data.folds=5; use split=test")
    free = ("fold",) if split == "out_of_fold" else ()
    for path, classifier in classifiers.items():
        if reason := reason_seen(classifier, path, datamodule, free):
            raise UsageError(f"split={split}: {reason}; use split=test")


def _by_fold(classifiers: dict[str, DigitClassifier], datamodule: DigitDataModule) -> list[DigitClassifier]:
    """One classifier per fold, in their order; UsageError if one is missing, or there are two of a fold."""
    from digitrec.build import data_settings

    paths: dict[int | None, str] = {}
    for path, classifier in classifiers.items():
        fold = data_settings(classifier).get("fold")
        if fold in paths:
            raise UsageError(f"split=out_of_fold: {paths[fold]} and {path} are both of fold {fold}; give one of each")
        paths[fold] = path
    if missing := sorted(set(range(datamodule.folds or 0)) - set(paths)):
        raise UsageError(f"split=out_of_fold: no checkpoint of fold {', '.join(map(str, missing))}; give one of each")
    return [classifiers[paths[fold]] for fold in range(datamodule.folds or 0)]


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:5])}, ..., {names[-1]}"
    return f"{len(names)} classes ({shown})"


if __name__ == "__main__":
    main()
