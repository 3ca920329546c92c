"""The keys of each command's configuration, and the modules that each may build from."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len, Lt


def _conf_dir() -> Path:
    package = Path(__file__).resolve().parents[1]
    places = (package / "conf", package.parent / "conf")  # in a wheel; in a checkout
    return next((place for place in places if place.is_dir()), places[0])


CONF_DIR = _conf_dir()


# Of strategies, those that start processes as our launcher, signals and checkpoints expect.
LIGHTNING = tuple(
    f"lightning.pytorch.{part}"
    for part in ("callbacks", "loggers", "plugins", "profilers", "strategies.ddp", "strategies.single_device")
)
CALLBACKS = tuple(
    f"digitrec.training.{name}"
    for name in ("checkpoints", "freezing", "history", "lr_range", "pictures", "progress", "throughput", "trial")
)
STAGES, METRICS = ("train", "val", "test"), ("loss", "accuracy")  # the metrics that are always counted


@dataclass(frozen=True)
class Node:
    """A mapping with a `_target_` from one of `modules` and its arguments; `given` are those the program fills in.

    An `optional` one may be null or empty.
    """

    modules: tuple[str, ...]
    given: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Nodes:
    """A mapping of names to nodes, in the order in which they apply."""

    modules: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """A mapping of names to such mappings."""

    modules: tuple[str, ...]


@dataclass(frozen=True)
class TrainConfig:
    """The top-level keys of conf/train.yaml."""

    model: Annotated[Any, Node(("digitrec.models",), given=("num_classes", "in_channels", "image_size"))]
    optimizer: Annotated[Any, Node(("digitrec.training.optimizers", "torch.optim"), given=("model", "params"))]
    scheduler: Annotated[
        Any, Node(("digitrec.training.schedules", "torch.optim.lr_scheduler"), given=("optimizer", "total_steps"))
    ]
    augmentation: Annotated[Any, Nodes(("digitrec.data.augmentation",))]
    data: Annotated[Any, Node(("digitrec.data.datamodule",), given=("augmentations", "seed"))]
    trainer: Annotated[Any, Node(("lightning.pytorch.trainer.trainer",), given=("callbacks", "logger"))]
    callbacks: Annotated[Any, Nodes((*CALLBACKS, "digitrec.evaluation.pictures", "lightning.pytorch.callbacks"))]
    logger: Annotated[Any, Nodes(("digitrec.training.tracking", "lightning.pytorch.loggers"))]
    metrics: Annotated[Any, Nodes(("torchmetrics.classification", "torchmetrics.regression"))]
    init_from: str | None
    resume: str | None
    extend: Annotated[int, Ge(1)] | list[Annotated[int, Ge(1)]] | None
    rerun: str | None
    tags: list[str]
    note: str | None
    seed: Annotated[int, Ge(0), Lt(2**32)]
    label_smoothing: Annotated[float, Ge(0), Lt(1)]
    compile: bool
    objective: str
    test: bool | None
    report: bool
    run_dir: str


@dataclass(frozen=True)
class TuneConfig(TrainConfig):
    """The top-level keys of conf/tune.yaml: those of every run, and those of the search."""

    tune: dict[str, Any]
    trials: Annotated[int, Ge(1)]
    seeds: Annotated[int, Ge(1)]
    workers: Annotated[int, Ge(1)]
    prune: bool
    warmup_epochs: Annotated[int, Ge(0)]
    baseline: bool


@dataclass(frozen=True)
class PreviewConfig:
    """The top-level keys of conf/preview.yaml."""

    data: Annotated[Any, Node(("digitrec.data.datamodule",), given=("augmentations", "seed"))]
    rows: Annotated[Any, Rows(("digitrec.data.augmentation",))]
    seed: Annotated[int, Ge(0), Lt(2**32)]
    run_dir: str


@dataclass(frozen=True)
class EvaluateConfig:
    """The top-level keys of conf/evaluate.yaml."""

    checkpoint: str | Annotated[list[str], Len(1)]
    against: str | None
    data: Annotated[Any, Node(("digitrec.data.datamodule",), given=("augmentations", "seed"), optional=True)]
    split: Literal["train", "val", "test", "out_of_fold"]
    tta: Annotated[Any, Node(("digitrec.evaluation.views",), optional=True)]
    robustness: Annotated[int, Ge(0)]
    accelerator: Literal["auto", "cpu", "gpu", "mps"]
    precision: Literal["auto", "32-true", "bf16-mixed"]
    run_dir: str


SCHEMAS = {"train": TrainConfig, "tune": TuneConfig, "evaluate": EvaluateConfig, "preview": PreviewConfig}


def metadata(annotation: Any) -> tuple[Any, ...]:
    """What stands beside the type in an `Annotated`."""
    return getattr(annotation, "__metadata__", ())


# Everything that any of our configurations may build, beside what the person allows.
MODULES = (
    *(
        module
        for schema in SCHEMAS.values()
        for field in fields(schema)
        for note in metadata(field.type)
        for module in getattr(note, "modules", ())
    ),
    *LIGHTNING,
)
