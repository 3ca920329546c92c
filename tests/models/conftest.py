from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from digitrec.data.loader import BatchLoader
from digitrec.models.mlp import MLP
from tests.networks import quiet_trainer, tiny_mlp

Data = tuple[Tensor, Tensor]


@pytest.fixture(scope="session")
def data() -> Data:
    """50 images of 6x6 pixels in three classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (50, 1, 6, 6), generator=generator).byte(), torch.arange(50) % 3


@pytest.fixture(scope="session")
def mlp() -> Callable[..., MLP]:
    """Make a tiny network, ready to be trained."""
    return tiny_mlp


@pytest.fixture(scope="session")
def fit(data: Data) -> Callable[..., Trainer]:
    """Train on the data in batches of 16, the last of which holds two images, and validate on them."""

    def run(model: LightningModule, labels: Tensor | None = None, **settings: Any) -> Trainer:
        trainer = quiet_trainer(**{"max_epochs": 1, **settings})
        given = data[1] if labels is None else labels
        trainer.fit(model, BatchLoader(data[0], given, 16, lambda: torch.arange(50)), BatchLoader(*data, 16))
        return trainer

    return run
