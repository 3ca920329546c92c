"""What a run was and what came out of it: for run.json, for TensorBoard, for the terminal."""

import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from rich.console import Console
from rich.table import Table

from digitrec.models.checkpoint_file import read_checkpoint
from digitrec.models.classifier import DigitClassifier
from digitrec.run_folder.formatting import counted_names
from digitrec.run_folder.settings import decides, flatten, option_of, spelled
from digitrec.system.wording import counted, shown
from digitrec.training.history import History, epochs_done
from digitrec.training.throughput import Throughput

Settings = Mapping[str, Any]


def describe(settings: Settings, model: DigitClassifier, trainer: Trainer) -> dict[str, Any]:
    """The description of a run in run.json before it starts."""
    device = trainer.strategy.root_device
    return {
        "seed": settings["seed"],
        "model": model.network_name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "data": settings["data"]["dataset"],
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name(),
        "threads": torch.get_num_threads(),
        "processes": trainer.world_size,
        "precision": trainer.precision,
        "compile": settings.get("compile", False),
    }


def hyperparameters(settings: Settings) -> dict[str, Any]:
    """Every setting that can change the result, and the seed, by its name on the command line."""
    options = {name: option_of(node) for name, node in settings.items() if isinstance(node, dict)}
    found = dict(flatten(settings)) | options | {"data": settings["data"]["dataset"]}
    return {
        name: spelled(value) if isinstance(value, list | dict) else value
        for name, value in found.items()
        if (decides(name) or name == "seed") and not name.endswith("_target_") and settings["run_dir"] not in str(value)
    }


def epoch_metrics(trainer: Trainer) -> dict[str, float]:
    """Metrics of the epoch that the best checkpoint was saved after, without one the last; the median speed of all."""
    rows = history(trainer) or [{}]
    best = best_checkpoint(trainer)
    epochs = epochs_done(read_checkpoint(Path(best))) if best else len(rows)
    metrics = dict(next((row for row in rows if row.get("epoch") == epochs), rows[-1]))
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning adds it at run time
        if isinstance(callback, Throughput) and callback.images_per_second is not None:
            metrics["train/images_per_second"] = callback.images_per_second
    return metrics


def history(trainer: Trainer) -> list[dict[str, float]]:
    """One row of metrics per epoch of the training; empty if nobody kept them."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # Lightning adds it at run time
    return [row for callback in callbacks if isinstance(callback, History) for row in callback.epochs]


def best_checkpoint(trainer: Trainer) -> str | None:
    """Path of the checkpoint to test: the best, else the last, else None for the weights as they are."""
    paths = [callback.best_model_path for callback in _checkpoints(trainer)]
    return next(filter(None, paths), None)


def _checkpoints(trainer: Trainer) -> list[ModelCheckpoint]:
    """Checkpoint callbacks, those that watch a metric first."""
    callbacks = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    return sorted(callbacks, key=lambda callback: callback.monitor is None)


def print_start(record: Mapping[str, Any], run_dir: Path, resumed: Path | None = None, step: int = 0) -> None:
    """What will be trained on what, where, and after how many steps it goes on from which checkpoint."""
    console = Console(highlight=False)
    console.print(
        f"[bold]{record['model']}[/] ({record['parameters']:,} parameters) on [bold]{record['data']}[/], "
        f"{record['device']} ({record['device_name']}), {record['precision']}, seed {record['seed']}",
        soft_wrap=True,
    )
    console.print(f"run folder: {shown(run_dir)}", soft_wrap=True)
    if resumed is not None:
        console.print(f"goes on after step {step:,}, from {resumed.name}", soft_wrap=True)
    if record.get("extended"):
        *first, last = record["extended"]
        added = " and ".join([*map(str, first), counted(last, "epoch")])
        console.print(f"extended by {added}, over which the learning rate follows its schedule anew")
    if record.get("compile"):
        console.print("compile=true: the first steps are compiled, for seconds to minutes")


def print_end(metrics: Mapping[str, float], run_dir: Path, checkpoint: str | None, *, brief: bool) -> None:
    """The result table, and where everything lies; `brief`, the accuracies in one line."""
    if brief:
        figures = [
            f"{stage} accuracy {metrics[name]:.2%}"
            for stage in ("val", "test")
            if (name := f"{stage}/accuracy") in metrics
        ]
        Console(highlight=False).print(f"[bold]{run_dir.name}[/]: {', '.join(figures)}\n", soft_wrap=True)
        return
    table = Table()
    table.add_column("")
    for stage in ("val", "test"):
        table.add_column(stage, justify="right")
    for name in counted_names(metrics):
        style = ".2%" if name == "accuracy" else ".4f"
        table.add_row(name, *(_cell(metrics.get(f"{stage}/{name}"), style) for stage in ("val", "test")))
    console = Console(highlight=False)
    tested = f"{Path(checkpoint).stem} checkpoint" if checkpoint else "weights at the end"
    if metrics.keys() & {"val/loss", "test/loss"}:
        console.print(f"[bold]Results of the {tested}[/]")
        console.print(table)
    if speed := metrics.get("train/images_per_second"):
        console.print(f"training speed: {speed:,.0f} images/s")
    folder = shown(run_dir)
    if checkpoint:
        console.print(f"checkpoint:     {shown(Path(checkpoint))}", soft_wrap=True)
    console.print(f"all figures:    {folder / 'metrics.json'}", soft_wrap=True)
    if any(run_dir.glob("events.out.tfevents.*")):  # without a logger there are none
        logdir = "outputs" if folder.parts[:1] == ("outputs",) else folder
        console.print(f"curves:         tensorboard --logdir {shlex.quote(str(logdir))}", soft_wrap=True)


def _cell(value: float | None, style: str) -> str:
    return "" if value is None else format(value, style)


def processor_name() -> str:
    """Name of the central processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
