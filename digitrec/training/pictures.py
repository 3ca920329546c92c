"""Pictures of the validation images while training goes on."""

import warnings
from typing import Annotated, Any

import torch
from annotated_types import Gt
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from digitrec.evaluation.predictions import Predictions
from digitrec.models.classifier import DigitClassifier


class ValidationPictures(Callback):
    """A confusion matrix and predictions of some images to TensorBoard's image tab; of several processes, the first's.

    Args:
        every_n_epochs: epochs from one set of pictures to the next; the last validation has one in any case.
    """

    def __init__(self, every_n_epochs: Annotated[int, Gt(0)] = 5) -> None:
        self.every_n_epochs = every_n_epochs
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn where pictures have nowhere to go."""
        if not _writers(trainer):
            warnings.warn("callbacks.pictures draws into TensorBoard, and logger has none: no pictures", stacklevel=2)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the validation before."""
        self._seen = []

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Keep what the validation has computed anyway, where it lies."""
        images, labels = batch
        self._seen.append((images, outputs, labels))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw and log, if it is time."""
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw and log the last validation, unless that has been done."""
        self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        writers = _writers(trainer)
        if not (self._seen and writers and trainer.is_global_zero):
            return
        from digitrec.reports.figures import classes, digits, style  # matplotlib takes a while to import

        assert isinstance(pl_module, DigitClassifier)
        images, logits, labels = (torch.cat(parts).cpu() for parts in zip(*self._seen, strict=True))
        predictions = Predictions(labels, logits.softmax(dim=1), pl_module.class_names)
        figures = {
            "confusion": classes.confusion_counts(predictions, style.LIGHT),
            "predictions": digits.examples(images, predictions, style.LIGHT),
        }
        self._seen = []
        for writer in writers:
            for name, figure in figures.items():
                writer.add_figure(f"val/{name}", figure, trainer.global_step, close=False)


def _writers(trainer: Trainer) -> list[Any]:
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
