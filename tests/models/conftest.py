from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from digitrec.data.loader import BatchLoader
from digitrec.models.classifier import Recipe
from digitrec.models.mlp import MLP
from digitrec.training.optimizers import sgd
from digitrec.training.schedules import constant

Data = tuple[Tensor, Tensor]


@pytest.fixture(scope="session")
def data() -> Data:
    """50 images of 6x6 pixels in three classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (50, 1, 6, 6), generator=generator).byte(), torch.arange(50) % 3


@pytest.fixture(scope="session")
def mlp() -> Callable[..., MLP]:
    """Make a tiny network, ready to be trained; its weights stay as they are with lr=0."""

    def make(lr: float = 0.1, label_smoothing: float = 0.0, outliers: bool = False, **settings: Any) -> MLP:
        torch.manual_seed(0)
        model = MLP(**{"hidden": [8], "dropout": 0.0, "num_classes": 3, "image_size": 6, **settings})
        model.recipe = Recipe(partial(sgd, lr=lr), constant, label_smoothing, outliers)
        return model

    return make


@pytest.fixture(scope="session")
def fit(data: Data) -> Callable[..., Trainer]:
    """Train on the data in batches of 16, the last of which holds two images, and validate on them."""

    def run(model: LightningModule, labels: Tensor | None = None, **settings: Any) -> Trainer:
        quiet = {"logger": False, "enable_checkpointing": False, "num_sanity_val_steps": 0}
        trainer = Trainer(
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            **{"max_epochs": 1, **quiet, **settings},
        )
        told = data[1] if labels is None else labels
        trainer.fit(model, BatchLoader(data[0], told, 16, lambda: torch.arange(50)), BatchLoader(*data, 16))
        return trainer

    return run
