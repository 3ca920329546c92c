"""What a person sees of a training: the layers, then a bar in a terminal or a line per epoch elsewhere."""

import sys
import time
from typing import Annotated

from annotated_types import Gt
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ProgressBar, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from rich.console import Console
from rich.table import Table
from torch import nn

SHOWN = {
    "train/loss": "train loss {:.4f}",
    "val/loss": "val loss {:.4f}",
    "val/accuracy": "val accuracy {:.2%}",
    "train/images_per_second": "{:,.0f} images/s",
}


def progress_bar(refresh_rate: Annotated[int, Gt(0)] = 20) -> ProgressBar:
    """A bar redrawn every `refresh_rate` batches, or plain lines when the output is no terminal."""
    if sys.stdout.isatty():
        return TerminalBar(refresh_rate=refresh_rate, leave=True, theme=RichProgressBarTheme(metrics_format=".4f"))
    return ProgressLines()


class TerminalBar(RichProgressBar):
    """Lightning's bar with the metrics of the epoch before beside it."""

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Losses and validation accuracy."""
        known = trainer.callback_metrics
        return {name: known[name].item() for name in ("train/loss", "val/loss", "val/accuracy") if name in known}


class ProgressLines(ProgressBar):
    """One line per epoch: losses, validation accuracy, speed, time since the start."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._printed = 0
        self._start = time.perf_counter()

    def disable(self) -> None:
        """Print nothing, as Lightning asks of all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Print."""
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Epochs before a resumed run have had their lines."""
        self._printed = trainer.current_epoch

    # An epoch's metrics are complete only after the hooks of its end, so its line is printed one hook later.
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of the epoch before."""
        self._print(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the last line."""
        self._print(trainer)

    def _print(self, trainer: Trainer) -> None:
        finished = trainer.current_epoch
        if not self._enabled or finished <= self._printed:
            return
        self._printed = finished
        known = trainer.callback_metrics
        shown = [text.format(known[name].item()) for name, text in SHOWN.items() if name in known]
        elapsed = time.perf_counter() - self._start
        total = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""  # -1: a number of steps ends it
        line = "  ".join([f"epoch {finished}{total}", *shown, f"{elapsed:.0f} s"])
        print(line, flush=True)  # noqa: T201


class LayerTable(Callback):
    """Prints the layers that hold parameters when training starts."""

    def __init__(self, depth: Annotated[int, Gt(0)] = 2) -> None:
        self.depth = depth

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table, in the first process only."""
        if not trainer.is_global_zero:
            return
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("layer")
        table.add_column("kind")
        table.add_column("parameters", justify="right")
        for name, layer in pl_module.named_modules():
            count = sum(parameter.numel() for parameter in layer.parameters())
            if count and self._shows(name, layer):
                table.add_row(name, type(layer).__name__, f"{count:,}")
        Console().print(table)

    def _shows(self, name: str, layer: nn.Module) -> bool:
        level = name.count(".") + 1
        is_leaf = not any(True for _ in layer.children())
        return bool(name) and (level == self.depth or (is_leaf and level < self.depth))
