"""From a checked configuration to objects; the one place that calls Hydra's instantiate."""

import os
import shlex
import shutil
import warnings
from collections.abc import Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics import Metric

from digitrec.config.check import check_data
from digitrec.config.overrides import as_path, parts_of
from digitrec.config.schema import CONF_DIR
from digitrec.config.signatures import read_signature
from digitrec.data.augmentation import Augmentation
from digitrec.data.datamodule import DigitDataModule
from digitrec.data.datasets import DATASETS
from digitrec.errors import DigitrecError, UsageError
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_checkpoint, read_content
from digitrec.models.classifier import DigitClassifier, Recipe
from digitrec.models.precision import native_precision
from digitrec.models.transfer import take_weights
from digitrec.system.memory import TooLargeError, available_memory, check_size
from digitrec.system.overhead import NoProfiler, forget_absent_gpu
from digitrec.system.wording import counted, first_line
from digitrec.training.checkpoints import WholeFiles
from digitrec.training.extension import Extension
from digitrec.training.interruption import Interruption
from digitrec.training.optimizers import of_model
from digitrec.training.schedules import over_steps
from digitrec.weights import find_checkpoint

Settings = Mapping[str, Any]
COPIES = 4  # of the weights in training: themselves, gradients, and two averages of Adam's
# Settings that decide which images are held out.
SPLITTING = ("dataset", "val_size", "split_seed", "folds", "fold", "limit")


def build_datamodule(settings: Settings) -> DigitDataModule:
    """The data set with its augmentations; nothing is read yet."""
    augmentations: list[Augmentation] = build_all("augmentation", settings.get("augmentation", {}))
    datamodule: DigitDataModule = _build("data", settings["data"], augmentations=augmentations, seed=settings["seed"])
    return datamodule


def trained_on(classifier: DigitClassifier, path: str) -> DigitDataModule:
    """The data set that a classifier's checkpoint names, none of it read yet; UsageError if it is none of ours."""
    # Only these, by name and checked: a checkpoint may come from anybody, and must not choose where files are written.
    named = {name: value for name, value in data_settings(classifier).items() if name in (*SPLITTING, "part")}
    if "dataset" not in named:
        raise UsageError(f"checkpoint: {path} does not name the data it was trained on; add it, as in data=mnist")
    if named["dataset"] == "folder":
        named |= {name: value for name, value in data_settings(classifier).items() if name in ("root", "skip_damaged")}
    try:
        check_data(named)
    except UsageError as error:
        raise UsageError(f"checkpoint: {path} was trained on what is no data set of ours: {error}") from None
    return DigitDataModule(**named)


def data_settings(classifier: DigitClassifier) -> dict[str, Any]:
    """The data settings in a checkpoint; empty where there are none, or no mapping."""
    settings: Any = classifier.settings
    data = settings.get("data") if isinstance(settings, dict) else None
    return data if isinstance(data, dict) else {}


def reason_seen(classifier: DigitClassifier, path: str, datamodule: DigitDataModule, free: Container[str] = ()) -> str:
    """Why images that `datamodule` holds out may have been trained on; empty if they were not.

    Args:
        classifier: what was trained.
        path: names it.
        datamodule: none of its images are read.
        free: of `SPLITTING`, settings that may differ.
    """
    source = classifier.settings.get("init_from")
    if source and not _is_of_other_images(source, datamodule.dataset):
        return f"{path} started from another run's weights, which may have been trained on these images"
    had = _division(data_settings(classifier))
    for name, held_out in _division({name: getattr(datamodule, name) for name in (*SPLITTING, "root")}).items():
        if had.get(name) != held_out and name not in free:
            return (
                f"{path} was trained with data.{name}={had.get(name)}, not {held_out}, "
                "and may have been trained on these images"
            )
    return ""


def _is_of_other_images(path: str, dataset: str) -> bool:
    """Whether the network of a file was trained on none but images of another kind than a data set's."""
    try:
        content = read_content(find_checkpoint(path))
        settings = content["digitrec"].get("settings") or {"data": {"dataset": content["card"]["data"]}}
        before, origin = settings.get("init_from"), settings["data"]["dataset"]
    except (DigitrecError, AttributeError, KeyError, TypeError):  # gone since, or it does not name them
        return False
    return before is None and origin in set(DATASETS) - {"folder"} and _images_of(origin) != _images_of(dataset)


def _images_of(dataset: str) -> str:
    """MNIST, QMNIST and EMNIST are drawn from the same images of NIST."""
    return "nist" if dataset.startswith(("mnist", "qmnist", "emnist")) else dataset


def _division(data: Mapping[str, Any]) -> dict[str, Any]:
    """What decides which images are held out, of settings of data that may lack some."""
    found = dict.fromkeys(SPLITTING, "unknown") | {"folds": None, "fold": None}
    found |= {name: value for name, value in data.items() if name in SPLITTING}
    return found | ({"root": str(as_path(str(data.get("root"))).resolve())} if found["dataset"] == "folder" else {})


def build_model(
    settings: Settings, datamodule: DigitDataModule, checkpoint: str | Path | None = None
) -> DigitClassifier:
    """The network with as many classes as the data set, and the recipe to train it.

    Args:
        settings: checked ones.
        datamodule: gives the classes; with `init_from` it takes those of the network that training goes on from.
        checkpoint: of this very training, which will bring its own weights; None: it starts, from the weights that
            `init_from` names if it names some.
    """
    torch.manual_seed(settings["seed"])
    source = None
    if (path := settings.get("init_from")) is not None:
        source = _source(checkpoint or path)
        state = read_checkpoint(Path(checkpoint)).get(type(datamodule).__qualname__) if checkpoint else None
        if state is not None:
            datamodule.load_state_dict(state)
        elif absent := datamodule.go_on_from(source.class_names, rejects=source.threshold is not None):
            _warn_of_absent(absent, datamodule, path)
    given = {"num_classes": len(datamodule.class_names), "in_channels": 1, "image_size": 28}
    given["_recursive_"] = False  # a network's arguments are plain values, which its checkpoint keeps
    on_cpu = find_device("trainer.accelerator", str(settings["trainer"].get("accelerator"))).type == "cpu"
    limit = available_memory() // (COPIES if on_cpu else 1)
    try:
        check_size(partial(_build, "model", settings["model"], **given), limit)
    except TooLargeError as error:
        raise UsageError(f"model: {error}") from error
    model: DigitClassifier = _build("model", settings["model"], **given)
    if not isinstance(model, DigitClassifier):
        raise UsageError(f"model._target_: {settings['model']['_target_']} is no DigitClassifier")
    if source is not None and checkpoint is None:
        _start_from(source, model, datamodule)
    model.settings = dict(settings)
    scheduler, per_epoch = over_steps(_build("scheduler", settings["scheduler"], _partial_=True))
    model.recipe = Recipe(
        optimizer=of_model(_build("optimizer", settings["optimizer"], _partial_=True)),
        scheduler=scheduler,
        label_smoothing=settings["label_smoothing"],
        outliers=datamodule.non_digits > 0,
        per_epoch=per_epoch,
    )
    _try(model.recipe, model)
    model.count_metrics(build_metrics(settings["metrics"], len(datamodule.class_names)))
    if settings.get("compile"):
        _compile(model)
    return model


def _try(recipe: Recipe, model: DigitClassifier) -> None:
    """Make optimizer and schedule once: what they find wrong in their settings is better known before training."""
    part = "optimizer"
    try:
        optimizer = recipe.optimizer(model)
        _check_kind(optimizer, Optimizer)
        part = "scheduler"
        _check_kind(recipe.scheduler(optimizer, 1000), LRScheduler)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{part}: {first_line(error)}") from error


def _check_kind(made: object, kind: type) -> None:
    if not isinstance(made, kind):
        raise TypeError(f"_target_ gives a {type(made).__name__}, expected a {kind.__module__}.{kind.__name__}")


def build_metrics(nodes: Settings, num_classes: int) -> dict[str, Metric]:
    """Metrics by name; `num_classes` is given to those that take it."""
    metrics = {}
    for name, node in nodes.items():
        if node is None:
            continue
        signature = read_signature(node["_target_"])
        extra = {"num_classes": num_classes} if signature and "num_classes" in signature.arguments else {}
        metrics[name] = _build(f"metrics.{name}", node, **extra)
        if not isinstance(metrics[name], Metric):
            raise UsageError(f"metrics.{name}._target_: {node['_target_']} is no torchmetrics.Metric")
    return metrics


def _compile(model: DigitClassifier) -> None:
    """Compile the forward pass alone: names in checkpoints stay, and logging stays outside."""
    compiler = shlex.split(os.environ.get("CXX", "g++"))[0]
    if shutil.which(compiler) is None:
        raise UsageError(f"compile=true: torch compiles with {compiler}, which is not there; install it, or set CXX")
    model.compile(dynamic=False)  # a few sizes of batches, each compiled for itself


def _source(path: str | Path) -> DigitClassifier:
    try:
        return load_classifier(path)
    except DigitrecError as error:  # nothing has been started
        raise UsageError(f"init_from: {error}") from error


def _start_from(source: DigitClassifier, model: DigitClassifier, datamodule: DigitDataModule) -> None:
    try:
        take_weights(model, source, datamodule.class_names)
    except UsageError as error:
        option = _option(source) if type(source) is not type(model) else None
        raise UsageError(f"init_from: {error}{f'; use model={option}' if option else ''}") from None
    if datamodule.dataset == "folder" and datamodule.class_names == source.class_names:
        # Its normalisation goes with its weights; a few pictures have none of their own to speak of.
        datamodule.mean, datamodule.std = (tuple(part.flatten().tolist()) for part in (source.mean, source.std))


def _warn_of_absent(absent: Sequence[str], datamodule: DigitDataModule, path: str) -> None:
    made = datamodule.written + datamodule.non_digits
    kept = (
        f"are rehearsed with {counted(made, 'image')} made by rule"
        if made
        else "may be forgotten (callbacks=[default,freeze])"
    )
    warnings.warn(
        f"no pictures of {', '.join(absent)}: these classes stay, as init_from={path} has them, and {kept}; "
        "data.classes=[...] names others",
        stacklevel=2,
    )


def _option(network: DigitClassifier) -> str | None:
    """Name in conf/model of what builds a network, that of its own name before its library's; None if none does."""
    target = f"{type(network).__module__}.{type(network).__qualname__}"
    named = [str(network.hparams[key]) for key in ("name", "library") if key in network.hparams]
    files = [*(CONF_DIR / "model" / f"{name}.yaml" for name in named), *sorted(CONF_DIR.glob("model/*.yaml"))]
    line = f"_target_: {target}"
    found = (file for file in files if file.is_file() and line in file.read_text(encoding="utf-8").splitlines())
    return next((file.stem for file in found), None)


def build_trainer(settings: Settings) -> Trainer:
    """The trainer with its callbacks and loggers, precision chosen for the device if it is auto."""
    loggers: list[Logger] = build_all("logger", settings["logger"])
    node = dict(settings["trainer"])
    _check_settings(node)
    if node.get("precision") == "auto":
        node["precision"] = native_precision(find_device("trainer.accelerator", str(node.get("accelerator"))))
    if node.get("deterministic") is False and not torch.are_deterministic_algorithms_enabled():
        node["deterministic"] = None  # there is nothing to switch off, and torch would import its compiler to do so
    if node.get("profiler") is None:
        node["profiler"] = NoProfiler()
    forget_absent_gpu()
    callbacks = build_all("callbacks", settings["callbacks"])
    if not loggers:  # a learning-rate monitor has nowhere to write and would refuse to run
        callbacks = [callback for callback in callbacks if not isinstance(callback, LearningRateMonitor)]
    if node.get("enable_checkpointing", True):
        callbacks.append(Interruption())
    if added := parts_of(settings.get("extend")):
        if node.get("max_epochs", -1) in (None, -1) or node.get("max_steps", -1) != -1:
            raise UsageError("extend: adds epochs to trainer.max_epochs; set that, and leave out trainer.max_steps")
        callbacks.insert(0, Extension(added))
    node["plugins"] = [*(node.get("plugins") or []), WholeFiles()]
    trainer: Trainer = _build("trainer", node, callbacks=callbacks, logger=loggers or False)
    if settings.get("compile") and trainer.world_size > 1:  # there the training step goes through the forward pass
        raise UsageError("compile=true: only for one process so far; use trainer.devices=1, or compile=false")
    return trainer


def build_all(path: str, nodes: Settings) -> list[Any]:
    """Every node of a group, in its order; one that was set to null is left out."""
    return [_build(f"{path}.{name}", node) for name, node in nodes.items() if node is not None]


def build_optional(path: str, node: Settings | None) -> Any:
    """A node's object, or None for an empty one."""
    return _build(path, node) if node else None


def _build(path: str, node: Any, **extra: Any) -> Any:
    """Instantiate one node; what its constructor finds wrong is the person's to mend."""
    try:
        return instantiate(dict(node), _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, UsageError | ValueError | TypeError | ImportError | MisconfigurationException):
            raise UsageError(f"{path}: {first_line(cause)}") from cause
        raise cause  # noqa: B904  # a defect of ours: its own traceback shows more than Hydra's


def find_device(key: str, accelerator: str) -> torch.device:
    """The device that Lightning takes for an accelerator by its name.

    Raises:
        UsageError: there is none on this machine; `key` is the setting that names it.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", 0)
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    if accelerator in ("gpu", "cuda", "mps"):
        raise UsageError(
            f"{key}={accelerator}: torch {torch.__version__} finds no such device on this machine; "
            f"use {key}=auto or cpu"
        )
    return torch.device("cpu")


def check_monitored(model: DigitClassifier, trainer: Trainer, datamodule: DigitDataModule) -> None:
    """UsageError if, now that the images are read, schedule or callbacks wait for what no validation will bring."""
    most, every = trainer.max_epochs, trainer.check_val_every_n_epoch or 1
    if not len(datamodule.splits["val"].labels):
        reason = "there are no validation images, as with data.val_size=0"
    elif trainer.limit_val_batches == 0:
        reason = "trainer.limit_val_batches=0 skips validation"
    elif most is not None and 0 <= most < every:
        reason = f"trainer.check_val_every_n_epoch={every} is more than trainer.max_epochs={most}"
    else:
        return
    assert model.recipe is not None
    if isinstance(model.recipe.scheduler(model.recipe.optimizer(model), 1), ReduceLROnPlateau):
        raise UsageError(f"scheduler: ReduceLROnPlateau follows validation, but {reason}")
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:  # without validation, a checkpoint is that of the last epoch
        monitor, strict = getattr(callback, "monitor", None), getattr(callback, "strict", True)
        if str(monitor).startswith("val/") and strict and not isinstance(callback, ModelCheckpoint):
            raise UsageError(f"callbacks: {type(callback).__name__} needs {monitor}, but {reason}")


def warn_if_idle(node: Settings) -> None:
    """Warn, once all else is known to be right, that these settings of a trainer train nothing."""
    if idle := [name for name in ("max_epochs", "max_steps", "limit_train_batches") if node.get(name) == 0]:
        warnings.warn(f"trainer.{idle[0]}=0: nothing is trained, all figures are of the first weights", stacklevel=2)


def _check_settings(node: Settings) -> None:
    find_device("trainer.accelerator", str(node.get("accelerator")))
    if node.get("max_epochs") == node.get("max_steps") == -1 and node.get("max_time") is None:
        raise UsageError("trainer.max_epochs=-1: training would never end; set trainer.max_epochs or trainer.max_steps")
