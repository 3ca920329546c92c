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
    _check_settings(node)
    if node.get("precision") == "auto":
        node["precision"] = native_precision(_device(str(node.get("accelerator"))))
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
        if isinstance(cause, UsageError | ValueError | TypeError | ImportError | MisconfigurationException):
            raise UsageError(f"{path}: {first_line(cause)}") from cause
        raise cause  # noqa: B904  # a defect of ours: its own traceback says more than Hydra's


def _device(accelerator: str) -> torch.device:
    """The device that Lightning will take for an accelerator by its name."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", 0)
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _check_settings(node: Settings) -> None:
    accelerator = str(node.get("accelerator"))
    if accelerator in ("gpu", "cuda", "mps") and _device(accelerator).type == "cpu":
        raise UsageError(
            f"trainer.accelerator={accelerator}: torch {torch.__version__} finds no such device on this machine; "
            "use trainer.accelerator=auto or cpu"
        )
    if node.get("max_epochs") == node.get("max_steps") == -1 and node.get("max_time") is None:
        raise UsageError("trainer.max_epochs=-1: training would never end; set trainer.max_epochs or trainer.max_steps")
