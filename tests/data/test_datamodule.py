import shutil
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.strategies import SingleDeviceStrategy
from PIL import Image, ImageDraw
from torch import Tensor

from digitrec.data.augmentation import Augmentation, Erasing, Shift
from digitrec.data.datamodule import DigitDataModule, statistics
from digitrec.data.datasets import Split
from digitrec.data.labels import NO_DIGIT
from digitrec.errors import DataError, UsageError
from tests.networks import quiet_trainer, tiny_mlp

Batch = tuple[Tensor, Tensor]


class Recorder(Callback):
    """Keeps what reaches the network."""

    def __init__(self) -> None:
        self.train: list[Batch] = []
        self.val: list[Batch] = []
        self.test: list[Batch] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, *_: int) -> None:
        self.train.append(batch)

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, *_: int) -> None:
        self.val.append(batch)

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, *_: int) -> None:
        self.test.append(batch)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, idx: Callable[[np.ndarray], bytes]) -> Path:
    """MNIST's training files with 60 made images, and no test files."""
    folder = tmp_path_factory.mktemp("data") / "MNIST" / "raw"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(images))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(60, dtype=np.uint8) % 10))
    return folder.parents[1]


def made(seed: int = 0, augmentations: tuple[Augmentation, ...] = (), **settings: Any) -> DigitDataModule:
    """20 training, 8 validation and 8 test images of 6x6 pixels, all of them different."""
    data = DigitDataModule("digits", batch_size=8, seed=seed, augmentations=augmentations, **settings)
    pixels = torch.randint(256, (36, 1, 6, 6), generator=torch.Generator().manual_seed(0)).byte()
    labels = torch.arange(36) % 3
    data.splits = {
        "train": Split(pixels[:20], labels[:20]),
        "val": Split(pixels[20:28], labels[20:28]),
        "test": Split(pixels[28:], labels[28:]),
    }
    return data


def trainer_of(max_epochs: int = 2, *callbacks: Callback, **settings: Any) -> Trainer:
    return quiet_trainer(max_epochs=max_epochs, callbacks=list(callbacks), **settings)


network = partial(tiny_mlp, lr=0.01)


def recorded(data: DigitDataModule, dropout: float = 0.0, **settings: Any) -> Recorder:
    """Two epochs of a real training."""
    seen = Recorder()
    trainer_of(2, seen, **settings).fit(network(dropout=dropout), data)
    return seen


def same(some: list[Batch], others: list[Batch]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(chain(*some), chain(*others), strict=True))


# ---- made images


def test_made_images_are_added_to_those_of_training_only(root: Path) -> None:
    data = DigitDataModule("mnist", str(root), written=20, non_digits=30, val_size=10)
    data.setup("fit")
    labels = data.splits["train"].labels
    assert len(labels) == len(data.splits["train"].images) == 50 + 20 + 30
    assert (labels == NO_DIGIT).sum() == 30
    assert data.splits["val"].labels.min() >= 0
    plain = DigitDataModule("mnist", str(root), val_size=10)
    plain.setup("fit")
    assert data.mean == plain.mean, "they are normalised as the data set is"


@pytest.mark.parametrize("option", ["written", "non_digits"])
def test_made_images_are_for_digits_alone(option: str, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "MNIST", tmp_path / "FashionMNIST")
    settings: dict[str, Any] = {"val_size": 10, option: 10}
    data = DigitDataModule("fashion_mnist", str(tmp_path), **settings)
    with pytest.raises(UsageError, match=rf"data\.{option}=10: fashion_mnist does not show"):
        data.setup("fit")


@pytest.mark.parametrize("val_size", [1.5, 50.5, float("inf")])
def test_a_val_size_that_is_no_count_is_an_error_before_anything_is_read(val_size: float) -> None:
    with pytest.raises(UsageError, match=rf"data\.val_size={val_size}"):
        DigitDataModule(val_size=val_size)


def pictures(root: Path, counts: dict[str, int]) -> Path:
    """One picture a file, none like another, in the folders that `counts` names."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            sheet = Image.new("L", (60 + number, 60), 255)
            ImageDraw.Draw(sheet).line([(10, 10), (40, 12), (20 + number, 50)], 0, 5)
            sheet.save(root / folder / f"{number}.png")
    return root


@pytest.mark.parametrize(("counts", "val_size"), [((2, 2, 6), 0.5), ((5, 5, 2), 8)])
def test_a_class_that_would_have_no_training_image_is_named(
    counts: tuple[int, ...], val_size: float, tmp_path: Path
) -> None:
    root = pictures(tmp_path, dict(zip("034", counts, strict=True)))
    with pytest.raises(UsageError, match=rf"data\.val_size={val_size} of \d+ training images leaves none of class \d"):
        DigitDataModule("folder", str(root), val_size=val_size).setup("fit")
    kept = DigitDataModule("folder", str(root), val_size=0)
    kept.setup("fit")
    assert kept.splits["train"].labels.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("split_seed", range(3))
def test_given_validation_images_are_used_and_all_others_trained_on(split_seed: int, tmp_path: Path) -> None:
    counts = {"train/0": 4, "train/1": 4, "valid/0": 1, "valid/1": 3, "test/0": 2, "test/1": 2}
    datamodule = DigitDataModule("folder", str(pictures(tmp_path, counts)), val_size=0.5, split_seed=split_seed)
    datamodule.setup()
    counted = {name: split.labels.bincount().tolist() for name, split in datamodule.splits.items()}
    assert counted == {"train": [4, 4], "val": [1, 3], "test": [2, 2]}


# ---- the statistics


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_those_of_all_pixels_in_float64(channels: int) -> None:
    images = torch.randint(256, (30, channels, 7, 5), generator=torch.Generator().manual_seed(0)).byte()
    pixels = images.numpy().astype(np.float64) / 255
    mean, std = statistics(images)
    np.testing.assert_allclose(mean, pixels.mean((0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(std, pixels.std((0, 2, 3)), rtol=1e-13)


@pytest.mark.mnist
def test_statistics_of_mnist_are_the_published_ones() -> None:
    data = DigitDataModule(val_size=0, limit=10)
    data.setup("fit")
    assert data.mean == pytest.approx((0.1307,), abs=5e-5)
    assert data.std == pytest.approx((0.3081,), abs=5e-5)


# ---- folds, training sets of a size, balance


def test_the_folds_of_a_data_set_hold_each_training_image_once(root: Path) -> None:
    parts = [DigitDataModule(root=str(root), folds=3, fold=fold) for fold in range(3)]
    whole, fold_of = parts[0].out_of_fold()
    for fold, data in enumerate(parts):
        data.setup("fit")
        assert torch.equal(data.splits["val"].images.sum(0), whole.images[fold_of == fold].sum(0))
    assert sum(len(data.splits["val"].labels) for data in parts) == len(whole.labels) == 60


def test_a_larger_training_set_contains_a_smaller_one_and_validation_stays(root: Path) -> None:
    small, large = (DigitDataModule(root=str(root), val_size=10, train_limit=size) for size in (20, 30))
    for data in (small, large):
        data.setup("fit")
    seen, more = ({image.numpy().tobytes() for image in data.splits["train"].images} for data in (small, large))
    assert seen < more
    assert torch.equal(small.splits["val"].images, large.splits["val"].images)
    assert small.mean == large.mean
    with pytest.raises(UsageError, match=r"data\.train_limit=9 leaves no training image of class \d; take more"):
        DigitDataModule(root=str(root), val_size=10, train_limit=9).setup("fit")


@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_balance_gives_classes_their_weight(balance: float, tmp_path: Path) -> None:
    root = pictures(tmp_path, {"train/a": 16, "train/b": 4, "test/a": 1, "test/b": 1})
    data = DigitDataModule("folder", str(root), val_size=0, balance=balance)
    data.setup("fit")
    weights = data.class_weights
    assert weights is not None
    assert (weights[1] / weights[0]).item() == pytest.approx(4**balance)
    assert (16 * weights[0] + 4 * weights[1]).item() == pytest.approx(20)


def test_balance_without_images_of_a_class_is_one_line(tmp_path: Path) -> None:
    root = pictures(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    data = DigitDataModule("folder", str(root), val_size=0, balance=1, classes=["a", "b", "c"])
    data.setup("fit")
    with pytest.raises(UsageError, match=r"data\.balance=1: there is no training image of class c"):
        _ = data.class_weights


# ---- setup


def test_fit_reads_no_test_file_and_test_needs_them(root: Path) -> None:
    data = DigitDataModule(root=str(root), val_size=12)
    data.setup("fit")
    assert set(data.splits) == {"train", "val"}
    with pytest.raises(DataError, match="t10k"):
        data.setup("test")


def test_held_out_images_are_those_of_the_file_whatever_the_seed(root: Path) -> None:
    some, others, redrawn = (
        DigitDataModule(root=str(root), val_size=12, seed=seed, split_seed=split_seed)
        for seed, split_seed in ((0, 0), (1, 0), (0, 1))
    )
    for data in (some, others, redrawn):
        data.setup("fit")
        split = data.splits["val"]
        assert split.images.shape == (12, 1, 28, 28)
        assert split.labels.bincount().max() == 2
    assert torch.equal(some.splits["val"].images, others.splits["val"].images)
    assert not torch.equal(some.splits["val"].images, redrawn.splits["val"].images)


def test_limit_cuts_every_split_but_not_the_statistics(root: Path) -> None:
    whole, limited = (DigitDataModule(root=str(root), val_size=12, limit=limit) for limit in (None, 5))
    for data in (whole, limited):
        data.setup("fit")
    assert limited.mean == whole.mean
    for name in ("train", "val"):
        some, every = limited.splits[name], whole.splits[name]
        assert len(some.images) == len(some.labels) == 5
        assert len(some.labels.unique()) == min(5, len(every.labels.unique()))  # not the first class only


def test_setup_reads_once(root: Path) -> None:
    data = DigitDataModule(root=str(root), val_size=12)
    data.setup("fit")
    before = data.splits["train"]
    data.setup("validate")
    assert data.splits["train"] is before


# ---- batches in a training


def test_every_epoch_shows_each_training_image_once_in_an_order_of_its_own() -> None:
    data = made()
    batches = recorded(data).train
    assert [len(labels) for _, labels in batches] == [8, 8, 4] * 2
    first, second = (torch.cat([images for images, _ in epoch]) for epoch in (batches[:3], batches[3:]))
    assert not torch.equal(first, second)
    for epoch in (first, second):
        assert epoch.dtype == torch.uint8
        assert {image.numpy().tobytes() for image in epoch} == {
            image.numpy().tobytes() for image in data.splits["train"].images
        }


def test_only_training_images_are_augmented() -> None:
    data, seen = made(augmentations=(Erasing(probability=1.0, value=0.5),), eval_batch_size=8), Recorder()
    trainer, model = trainer_of(1, seen), network()
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)
    trainer.validate(model, data, verbose=False)
    assert all(images.dtype == torch.float32 and (images == 0.5).any() for images, _ in seen.train)
    assert same(seen.val, [data.splits["val"]] * 2)  # within the fit, and on its own
    assert same(seen.test, [data.splits["test"]])


def test_augmented_images_keep_their_labels_and_their_range() -> None:
    data = made(augmentations=(Erasing(probability=1.0),))
    label_of = {image.numpy().tobytes(): label for image, label in zip(*data.splits["train"], strict=True)}
    plain, augmented = recorded(made()).train, recorded(data).train
    for (images, labels), (changed, same_labels) in zip(plain, augmented, strict=True):
        assert [label_of[image.numpy().tobytes()] for image in images] == labels.tolist() == same_labels.tolist()
        untouched = changed != 0
        torch.testing.assert_close(changed[untouched], (images.float() / 255)[untouched])


def test_batches_repeat_with_the_seed_whatever_else_draws_numbers() -> None:
    batches = recorded(made(3, (Shift(),))).train
    torch.manual_seed(99)
    assert same(batches, recorded(made(3, (Shift(),)), dropout=0.5, limit_val_batches=0).train)
    assert not same(batches, recorded(made(4, (Shift(),))).train)


def test_no_two_steps_share_their_draws() -> None:
    """An image of one white pixel shows where it was moved to."""
    data = made(augmentations=(Shift(2),))
    image = torch.zeros(20, 1, 6, 6).byte()
    image[:, :, 2, 2] = 255
    data.splits["train"] = Split(image, data.splits["train"].labels)
    moves = [tuple(images.flatten(1).argmax(1).tolist())[:4] for images, _ in recorded(data).train]
    assert len(set(moves)) == 6


def test_a_training_resumed_after_an_epoch_is_the_uninterrupted_one(tmp_path: Path) -> None:
    augmentations = (Shift(), Erasing(probability=0.5))
    whole, model = Recorder(), network(dropout=0.5)
    last = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    trainer_of(2, whole, last, enable_checkpointing=True).fit(model, made(0, augmentations))

    rest, resumed = Recorder(), network(dropout=0.5)
    first = str(tmp_path / "epoch=0.ckpt")
    trainer_of(2, rest).fit(resumed, made(0, augmentations), ckpt_path=first, weights_only=True)

    assert same(rest.train, whole.train[3:])
    for parameter, expected in zip(resumed.parameters(), model.parameters(), strict=True):
        assert torch.equal(parameter, expected)


def test_images_move_to_the_trainers_device_once() -> None:
    """The device `meta` stands for an accelerator: whatever is on it was moved there."""
    data = made()
    device = torch.device("meta")
    data.trainer = Trainer(
        strategy=SingleDeviceStrategy(device, accelerator=CPUAccelerator()), logger=False, enable_progress_bar=False
    )
    for loader in (data.train_dataloader, data.val_dataloader, data.test_dataloader, data.predict_dataloader):
        first, second = loader(), loader()
        assert not isinstance(first, list)
        assert not isinstance(second, list)
        assert first.images.device == first.labels.device == device
        assert first.images is second.images


def test_without_validation_images_training_goes_on() -> None:
    data, seen = made(), Recorder()
    empty = data.splits["val"]
    data.splits["val"] = Split(empty.images[:0], empty.labels[:0])
    trainer_of(1, seen).fit(network(), data)
    assert len(seen.train) == 3
    assert seen.val == []


def test_batch_sizes_of_training_and_evaluation_are_apart() -> None:
    seen = recorded(made(eval_batch_size=3))
    assert [len(labels) for _, labels in seen.train[:3]] == [8, 8, 4]
    assert [len(labels) for _, labels in seen.val[:3]] == [3, 3, 2]
