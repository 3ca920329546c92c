import inspect
from importlib import import_module

import pytest

from digitrec.config.signatures import read_signature

TARGETS = [
    "digitrec.models.cnn.CNN",
    "digitrec.training.optimizers.adamw",
    "digitrec.training.schedules.one_cycle",
    "digitrec.data.datamodule.DigitDataModule",
    "digitrec.data.augmentation.Erasing",
    "lightning.pytorch.callbacks.ModelCheckpoint",  # re-exported
    "lightning.pytorch.loggers.TensorBoardLogger",  # re-exported, with **kwargs
    "lightning.pytorch.trainer.Trainer",
    "lightning.pytorch.profilers.SimpleProfiler",
]


@pytest.mark.parametrize("target", TARGETS)
def test_reads_from_source_what_inspect_reads_from_the_object(target: str) -> None:
    module, _, name = target.rpartition(".")
    known = inspect.signature(getattr(import_module(module), name)).parameters.values()
    signature = read_signature(target)
    assert signature is not None
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    assert list(signature.arguments) == [one.name for one in known if one.kind not in kinds]
    assert signature.open == any(one.kind == inspect.Parameter.VAR_KEYWORD for one in known)


def test_names_the_module_that_really_defines_a_target() -> None:
    signature = read_signature("lightning.pytorch.callbacks.EarlyStopping")
    assert signature is not None
    assert signature.module == "lightning.pytorch.callbacks.early_stopping"


@pytest.mark.parametrize(
    "target",
    [
        "digitrec.models.cnn.Nothing",
        "digitrec.nowhere.CNN",
        "digitrec.config.check.os.system",  # an attribute of a module is no definition in it
        "nowhere",
        "",
    ],
)
def test_finds_nothing_where_nothing_is_defined(target: str) -> None:
    assert read_signature(target) is None
