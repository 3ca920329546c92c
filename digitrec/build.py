"""From a checked configuration to objects; the one place that calls Hydra's instantiate."""

from collections.abc import Mapping
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import Logger

from digitrec.data.augmentation import Augmentation
from digitrec.data.datamodule import DigitDataModule
from digitrec.errors import UsageError, first_line
from digitrec.models.classifier import DigitClassifier, Recipe
from digitrec.training.precision import native_precision

Settings = Mapping[str, Any]


def build_datamodule(settings: Settings) -> DigitDataModule:
    """The data set with its augmentations; nothing is read yet."""
    augmentations: list[Augmentation] = build_all("augmentation", settings.get("augmentation", {}))
    datamodule: DigitDataModule = _build("data", settings["data"], augmentations=augmentations, seed=settings["seed"])
    return datamodule


def build_model(settings: Settings, datamodule: DigitDataModule) -> DigitClassifier:
    """The network with as many classes as the data set, and the recipe to train it."""
    images = {"num_classes": len(datamodule.class_names), "in_channels": 1, "image_size": 28}
    model: DigitClassifier = _build("model", settings["model"], **images)
    if not isinstance(model, DigitClassifier):
        raise UsageError(f"model._target_: {settings['model']['_target_']} is no DigitClassifier")
    model.recipe = Recipe(
        optimizer=_build("optimizer", settings["optimizer"], _partial_=True),
        scheduler=_build("scheduler", settings["scheduler"], _partial_=True),
        label_smoothing=settings["label_smoothing"],
    )
    return model


def build_trainer(settings: Settings) -> Trainer:
    """The trainer with its callbacks and loggers, precision chosen for the device if it is auto."""
    loggers: list[Logger] = build_all("logger", settings["logger"])
    node = dict(settings["trainer"])
    _check_accelerator(node)
    if node.get("precision") == "auto":
        probe: Trainer = _build("trainer", {**node, "precision": None}, logger=False)
        node["precision"] = native_precision(probe.strategy.root_device)
    callbacks = build_all("callbacks", settings["callbacks"])
    if not loggers:  # a learning-rate monitor has nowhere to write and would refuse to run
        callbacks = [callback for callback in callbacks if not isinstance(callback, LearningRateMonitor)]
    trainer: Trainer = _build("trainer", node, callbacks=callbacks, logger=loggers or False)
    return trainer


def build_all(path: str, nodes: Settings) -> list[Any]:
    """Every node of a group, in its order; one that was set to null is left out."""
    return [_build(f"{path}.{name}", node) for name, node in nodes.items() if node is not None]


def _build(path: str, node: Any, **extra: Any) -> Any:
    """Instantiate one node; what its constructor finds wrong is the person's to mend."""
    try:
        return instantiate(dict(node), _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, UsageError | ValueError | TypeError | MisconfigurationException):
            raise UsageError(f"{path}: {first_line(cause)}") from cause
        raise cause  # noqa: B904  # a defect of ours: its own traceback says more than Hydra's


def _check_accelerator(node: Settings) -> None:
    wanted = node.get("accelerator")
    if wanted in ("gpu", "cuda") and not torch.cuda.is_available() and not _has_mps(wanted):
        raise UsageError(
            f"trainer.accelerator={wanted}: torch {torch.__version__} finds no GPU on this machine; "
            "use trainer.accelerator=auto or cpu"
        )


def _has_mps(wanted: str) -> bool:
    return wanted == "gpu" and torch.backends.mps.is_available()
