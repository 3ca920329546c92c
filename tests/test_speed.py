"""What makes training fast; scripts/benchmark measures how fast it is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from digitrec import build
from digitrec.config import compose

READS_A_NUMBER = "aten._local_scalar_dense.default"  # on a GPU the program waits there for all that was started before


class Calls(TorchDispatchMode):
    """Counts the operations of torch by name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.count: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.count[str(func)] += 1
        return func(*args, **(kwargs or {}))


def calls(steps: int, folder: Path, *overrides: str) -> Counter[str]:
    """Operations of a training of so many steps with everything that a run has."""
    limits = ("data.batch_size=10", "trainer.max_epochs=1", f"trainer.limit_train_batches={steps}")
    settings = compose("train", ["data=digits", "trainer.accelerator=cpu", *limits, *overrides], folder / str(steps))
    datamodule, trainer = build.build_datamodule(settings), build.build_trainer(settings)
    model = build.build_model(settings, datamodule)
    counting = Calls()
    with counting:
        trainer.fit(model, datamodule)
    return counting.count


def test_no_step_waits_for_a_number(tmp_path: Path) -> None:
    few, many = (calls(steps, tmp_path, "augmentation=strong") for steps in (8, 24))
    assert few[READS_A_NUMBER] > 0
    assert many[READS_A_NUMBER] == few[READS_A_NUMBER]


def test_geometric_changes_resample_a_batch_once(tmp_path: Path) -> None:
    few, many = (calls(steps, tmp_path, "augmentation=strong", "data.val_size=0") for steps in (2, 5))
    assert many["aten.grid_sampler_2d.default"] - few["aten.grid_sampler_2d.default"] == 3


def test_images_stay_bytes_where_nothing_changes_them(tmp_path: Path) -> None:
    settings = compose("train", ["data=digits", "trainer.accelerator=cpu", "trainer.max_epochs=1"], tmp_path)
    datamodule, trainer = build.build_datamodule(settings), build.build_trainer(settings)
    trainer.fit(build.build_model(settings, datamodule), datamodule)
    images, _ = next(iter(datamodule.train_dataloader()))
    assert images.dtype == torch.uint8
    assert datamodule.splits["train"].images.device == trainer.strategy.root_device


def test_a_batch_is_copied_in_whole_rows(tmp_path: Path) -> None:
    few, many = (calls(steps, tmp_path, "data.val_size=0") for steps in (2, 5))
    assert many["aten.index_select.default"] - few["aten.index_select.default"] == 2 * 3  # images and labels
    assert many["aten.index.Tensor"] == few["aten.index.Tensor"]


def test_no_step_looks_for_an_absent_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    calls(2, tmp_path)
    searches: list[str] = []

    def search() -> int:
        searches.append("driver")
        return -1

    monkeypatch.setattr(torch.cuda, "_raw_device_count_nvml", search)
    calls(5, tmp_path)
    assert not searches
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)]).step()
    assert searches, "torch no longer looks: forget_absent_gpu can go"
