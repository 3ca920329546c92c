from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning import Trainer

from digitrec.data.datamodule import DigitDataModule
from digitrec.data.datasets import Split
from digitrec.models.classifier import Recipe
from digitrec.models.mlp import MLP
from digitrec.training.optimizers import sgd
from digitrec.training.schedules import constant


@pytest.fixture(scope="session")
def mlp() -> Callable[..., MLP]:
    """Make a tiny network, ready to be trained."""

    def make(**settings: Any) -> MLP:
        torch.manual_seed(0)
        model = MLP(**{"hidden": [8], "num_classes": 3, "image_size": 6, **settings})
        model.recipe = Recipe(partial(sgd, lr=0.05), constant)
        return model

    return make


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
    """Make a trainer of three epochs on the CPU that writes nothing by itself."""

    def make(**settings: Any) -> Trainer:
        quiet = {"logger": False, "enable_checkpointing": False, "num_sanity_val_steps": 0}
        quiet |= {"enable_model_summary": False, "enable_progress_bar": False}
        return Trainer(**{"accelerator": "cpu", "max_epochs": 3, **quiet, **settings})

    return make
