from collections.abc import Callable
from functools import partial

import pytest
import torch
from lightning import Trainer

from digitrec.data.datamodule import DigitDataModule
from digitrec.data.datasets import Split
from digitrec.models.mlp import MLP
from tests.networks import quiet_trainer, tiny_mlp


@pytest.fixture(scope="session")
def mlp() -> Callable[..., MLP]:
    """Make a tiny network with dropout, ready to be trained."""
    return partial(tiny_mlp, lr=0.05, dropout=0.2)


@pytest.fixture(scope="session")
def digits() -> Callable[[], DigitDataModule]:
    """Make a data module of 20 training, 9 validation and 9 test images of 6x6 pixels, batches of 8."""

    def make() -> DigitDataModule:
        data = DigitDataModule("digits", batch_size=8)
        images = torch.randint(256, (38, 1, 6, 6), generator=torch.Generator().manual_seed(0)).byte()
        labels = torch.arange(38) % 3
        for name, part in (("train", slice(0, 20)), ("val", slice(20, 29)), ("test", slice(29, 38))):
            data.splits[name] = Split(images[part], labels[part])
        return data

    return make


@pytest.fixture(scope="session")
def trainer() -> Callable[..., Trainer]:
    """Make a quiet trainer of three epochs."""
    return partial(quiet_trainer, max_epochs=3)
