"""Tiny networks, quiet trainers, and the checkpoints that they would leave."""

from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning import Trainer
from omegaconf import OmegaConf
from torch import Tensor, nn
from torchmetrics import Metric

from digitrec.build import build_metrics
from digitrec.config.schema import CONF_DIR
from digitrec.models.classifier import DigitClassifier, Recipe
from digitrec.models.epoch_metrics import Stage, StageMetrics, by_input
from digitrec.models.mlp import MLP
from digitrec.training.optimizers import sgd
from digitrec.training.schedules import constant

Network = TypeVar("Network", bound=DigitClassifier)


class Plain(nn.Module):
    """A person's own module, which knows nothing of digitrec."""

    def __init__(self, num_classes: int = 10, hidden: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 1, 28, 28) -> logits (B, num_classes)."""
        logits: Tensor = self.layers(images)
        return logits


def tiny_mlp(lr: float = 0.1, label_smoothing: float = 0.0, outliers: bool = False, **settings: Any) -> MLP:
    """For images of 6x6 pixels in three classes, ready to be trained; its weights stay as they are with lr=0."""
    torch.manual_seed(0)
    model = MLP(**{"hidden": [8], "dropout": 0.0, "num_classes": 3, "image_size": 6, **settings})
    model.recipe = Recipe(partial(sgd, lr=lr), constant, label_smoothing, outliers)
    return model


def default_metrics(num_classes: int) -> dict[str, Metric]:
    """Those of conf/metrics/default.yaml."""
    return build_metrics(OmegaConf.load(CONF_DIR / "metrics" / "default.yaml"), num_classes)  # type: ignore[arg-type]


def stage_metrics(stage: Stage, num_classes: int) -> StageMetrics:
    """Loss, accuracy and the default metrics of one stage."""
    return StageMetrics(stage, num_classes, *by_input(default_metrics(num_classes), num_classes))


def quiet_trainer(**settings: Any) -> Trainer:
    """A trainer on the CPU that shows and writes nothing by itself."""
    quiet = {"logger": False, "enable_checkpointing": False, "num_sanity_val_steps": 0}
    quiet |= {"enable_model_summary": False, "enable_progress_bar": False}
    return Trainer(**{"accelerator": "cpu", **quiet, **settings})


def checkpoint_of(model: DigitClassifier) -> dict[str, Any]:
    """What a training saves of a network."""
    content: dict[str, Any] = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(content)
    return content


def saved(model: DigitClassifier, file: Path) -> Path:
    """The file of the network's checkpoint."""
    torch.save(checkpoint_of(model), file)
    return file


def settled(model: Network, images: Tensor) -> Network:
    """In evaluation mode with the images' batch statistics: without any, most signals fade on their way."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        model(images)
    return model.eval()
