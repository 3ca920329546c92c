"""What a person sees of a training: the layers, then a line per epoch, and in a terminal a bar for the whole run."""

import time
from collections.abc import Mapping
from typing import Annotated

from annotated_types import Gt
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor, nn

SHOWN = {
    "train/loss": "train loss {:.4f}",
    "val/loss": "val loss {:.4f}",
    "val/accuracy": "val accuracy {:.2%}",
    "train/images_per_second": "{:,.0f} images/s",
}


class TrainingProgress(ProgressBar):
    """Prints a line when an epoch has ended; in a terminal, a bar below them counts the batches of the run.

    Args:
        refresh_rate: batches between two updates of the bar.
    """

    def __init__(self, refresh_rate: Annotated[int, Gt(0)] = 20) -> None:
        super().__init__()
        self.refresh_rate = refresh_rate
        self._console = Console(highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=4,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        self._printed = 0
        self._start = time.perf_counter()

    def disable(self) -> None:
        """Show nothing, as Lightning has it for all processes but the first."""
        self._console.quiet = True
        self._bar.disable = True

    def enable(self) -> None:
        """Show what there is to see."""
        self._console.quiet = False
        self._bar.disable = not self._console.is_terminal

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar of the whole run."""
        epochs = trainer.max_epochs or -1
        total = trainer.num_training_batches * epochs if epochs > 0 else None
        self._bar.reset(self._task, total=total, completed=trainer.fit_loop.total_batch_idx + 1)
        self._bar.start()
        self._printed = trainer.current_epoch  # a resumed run's earlier epochs have had their lines

    # An epoch's metrics are complete only after the hooks of its end, so its line is printed one hook later.
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of the epoch before."""
        self._print_epoch(trainer)
        self._bar.update(self._task, description=_count(trainer, trainer.current_epoch + 1))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Move the bar of the run."""
        if (batch_idx + 1) % self.refresh_rate == 0:
            self._bar.update(self._task, completed=trainer.fit_loop.total_batch_idx + 1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the last line and take the bar away."""
        self._print_epoch(trainer)
        self._bar.stop()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show a bar for the test."""
        self._bar.reset(self._task, description="test", total=sum(map(int, trainer.num_test_batches)))
        self._bar.start()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move the bar of the test."""
        self._bar.update(self._task, completed=batch_idx + 1)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal clean."""
        self._bar.stop()

    def _print_epoch(self, trainer: Trainer) -> None:
        epoch = trainer.current_epoch
        if epoch <= self._printed:
            return
        self._printed = epoch
        elapsed = f"{time.perf_counter() - self._start:.0f} s"
        self._console.print(
            "  ".join([_count(trainer, epoch), *_shown(trainer.callback_metrics), elapsed]), soft_wrap=True
        )


def _count(trainer: Trainer, epoch: int) -> str:
    epochs = trainer.max_epochs or -1  # -1: a number of steps ends the run
    return f"epoch {epoch:{len(str(epochs))}}/{epochs}" if epochs > 0 else f"epoch {epoch}"


def _shown(metrics: Mapping[str, Tensor]) -> list[str]:
    return [text.format(metrics[name].item()) for name, text in SHOWN.items() if name in metrics]


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
