"""A learning-rate range test: the loss while the rate rises, and the rate at which it falls fastest."""

import csv
from collections.abc import Sequence
from copy import deepcopy
from math import isfinite, log
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Gt
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from digitrec.errors import DigitrecError
from digitrec.system.wording import shown

SMOOTHING = 0.9  # share of the mean so far in the next one
FEWEST = 10  # steps to draw a curve from


class LearningRateRange(Callback):
    """Writes lr_range.png and lr_range.csv, prints a suggestion, and gives the network back as it was.

    For the schedule `lr_range`. The suggestion is the rate at which the smoothed loss falls fastest over the rate's
    logarithm (Smith, 2017, arXiv:1506.01186, section 3.3; steepest point as in fastai).

    Args:
        folder: to write into.
        divergence: ends the test when the smoothed loss is so many times the lowest.
    """

    def __init__(self, folder: str, divergence: Annotated[float, Gt(1)] = 4.0) -> None:
        self.folder, self.divergence = Path(folder), divergence
        self._rates: list[float] = []
        self._losses: list[float] = []
        self._before: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the network as it is."""
        self._before = deepcopy(pl_module.state_dict())

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note the rate of the step that comes."""
        self._rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note its loss, the mean over all processes; end when it has risen."""
        self._losses.append(float(trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")))
        means = smoothed(self._losses)
        if not isfinite(means[-1]) or means[-1] > self.divergence * min(means):
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and print what was found."""
        pl_module.load_state_dict(self._before)
        if len(self._losses) < FEWEST:
            raise DigitrecError(f"lr_range: {len(self._losses)} steps show no curve; use trainer.max_steps=200")
        if not trainer.is_global_zero:
            return
        from digitrec.reports.figures import curves, style  # matplotlib takes a while to import

        rate = suggestion(self._rates, self._losses)
        means = smoothed(self._losses)
        figure = curves.lr_range(self._rates, self._losses, means, rate, style.LIGHT)
        figure.savefig(self.folder / "lr_range.png", dpi=style.DPI)
        with (self.folder / "lr_range.csv").open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            rows.writerow(["lr", "loss", "smoothed"])
            rows.writerows(zip(self._rates, self._losses, means, strict=True))
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_figure("lr_range", figure, trainer.global_step, close=False)
        print(f"learning-rate range test: the loss falls fastest at optimizer.lr={rate:.2g}")  # noqa: T201
        print(f"curve:          {shown(self.folder / 'lr_range.png')}")  # noqa: T201


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential means of a curve, corrected for their start (Kingma and Ba, 2015, arXiv:1412.6980, section 3)."""
    mean, means = 0.0, []
    for step, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        means.append(mean / (1 - SMOOTHING**step))
    return means


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> float:
    """The rate at which the smoothed loss falls fastest, before its lowest point."""
    means = smoothed(losses)
    lowest = max(2, means.index(min(means)) + 1)
    heights, places = torch.tensor(means[:lowest]), torch.tensor([log(rate) for rate in rates[:lowest]])
    (slope,) = torch.gradient(heights, spacing=(places,))
    return rates[int(slope.argmin())]
