"""The LightningDataModule: one data set, split, on the device, augmented in one place."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from lightning import LightningDataModule
from torch import Tensor

from digitrec.data import datasets
from digitrec.data.augmentation import Augmentation, Compose
from digitrec.data.datasets import Split
from digitrec.data.labels import DIGITS
from digitrec.data.loader import BatchLoader, mix, shuffled
from digitrec.errors import DataError, UsageError
from digitrec.system.wording import counted

REHEARSAL = 3000  # images
OWN = 0.25  # at least so many images of the data set's own for each image of rehearsal
Name = Literal[
    "mnist",
    "digits",
    "fashion_mnist",
    "kmnist",
    "qmnist",
    "usps",
    "emnist_digits",
    "emnist_letters",
    "emnist_balanced",
    "folder",
]


class DigitDataModule(LightningDataModule):
    """Training, validation and test split of a data set as uint8 tensors, moved to the device once.

    Args:
        dataset: name in `digitrec.data.datasets.DATASETS`.
        root: folder of the files; None is DIGITREC_DATA_DIR, else the user's cache folder.
        mirrors: base addresses to download from instead of the published ones.
        batch_size: images per training step and process.
        eval_batch_size: images per validation or test batch.
        val_size: training images held out for validation, stratified; below 1 their share; 0 holds out none. Ignored
            for a folder that has validation pictures of its own.
        split_seed: draws which images are held out.
        limit: at most this many images of each split.
        classes: names of the classes, label 0 first; None: those of the data set.
        skip_damaged: skip unreadable pictures of a folder with a warning.
        written: synthetic digits, in more writing styles, added to the training images.
        non_digits: synthetic images without a digit, added to the training images as `NO_DIGIT`, to learn rejection.
        rehearsal: synthetic images added in training on from another network (`go_on_from`), nine in ten digits,
            so that it still reads what the data set does not show; None is `REHEARSAL` for a folder, else 0.
        augmentations: applied to training images in their order.
        seed: draws the order of batches and the augmentations.

    Raises:
        UsageError: no such data set, or `val_size` leaves no image of a class to train on.
        DataError: on `prepare_data` or `setup`, a file is missing, damaged or cannot be fetched.
    """

    def __init__(
        self,
        dataset: Name = "mnist",
        root: str | None = None,
        mirrors: Sequence[str] | None = None,
        batch_size: Annotated[int, Gt(0)] = 128,
        eval_batch_size: Annotated[int, Gt(0)] = 250,
        val_size: Annotated[float, Ge(0)] = 5000,
        split_seed: Annotated[int, Ge(0), Lt(2**32)] = 0,
        limit: Annotated[int, Gt(1)] | None = None,
        classes: Sequence[str | int] | None = None,
        skip_damaged: bool = False,
        written: Annotated[int, Ge(0), Le(1_000_000)] = 0,
        non_digits: Annotated[int, Ge(0), Le(1_000_000)] = 0,
        rehearsal: Annotated[int, Ge(0), Le(1_000_000)] | None = None,
        augmentations: Sequence[Augmentation] = (),
        seed: int = 0,
    ) -> None:
        super().__init__()
        if val_size >= 1 and not float(val_size).is_integer():
            raise UsageError(f"data.val_size={val_size}: expected a whole number of images, or a share below 1")
        self.dataset = dataset
        self.root = root
        self.mirrors = mirrors
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.val_size = val_size
        self.split_seed = split_seed
        self.limit = limit
        self.classes = None if classes is None else tuple(map(str, classes))
        self.skip_damaged = skip_damaged
        self.written = written
        self.non_digits = non_digits
        self.rehearsal = (REHEARSAL if dataset == "folder" else 0) if rehearsal is None else rehearsal
        self._rehearses = False
        self.augment = Compose(augmentations) if augmentations else None
        self.seed = seed
        self._prepared = False
        self.mean: tuple[float, ...] = ()
        self.std: tuple[float, ...] = ()
        self.splits: dict[str, Split] = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per label, label 0 first; UsageError if there are images of a class that is not among them."""
        if self.classes is None:
            return self._own_classes
        if others := [name for name in self._own_classes if name not in self.classes]:
            raise UsageError(
                f"data.classes={list(self.classes)}: {self.dataset} has images of {others[0]}, too; add it"
            )
        return self.classes

    @property
    def _own_classes(self) -> tuple[str, ...]:
        return datasets.class_names(self.dataset, self.root)

    def go_on_from(self, class_names: Sequence[str], *, rejects: bool) -> list[str]:
        """Train a network on, so that its classes stay, if all of the data set's are among them, and what it can read.

        Args:
            class_names: its classes.
            rejects: it was trained to reject what is no digit.

        Returns:
            those of its classes that the data set has no image of.
        """
        if self.classes is None and set(self._own_classes) <= set(class_names):
            self.classes = tuple(class_names)
        self._rehearses = self.rehearsal > 0 and self.class_names == DIGITS == tuple(class_names)
        if self._rehearses:
            no_digits = self.rehearsal // 10 if rejects else 0
            self.written, self.non_digits = self.written + self.rehearsal - no_digits, self.non_digits + no_digits
        return [name for name in self.class_names if name not in self._own_classes]

    @property
    def checksum(self) -> str:
        """Digest of the data set's training files."""
        return datasets.checksum(self.dataset, self.root)

    def prepare_data(self) -> None:
        """Fetch and check the files, once."""
        if not self._prepared:
            datasets.prepare(self.dataset, self.root, self.mirrors, self.skip_damaged)
            self._prepared = True

    def setup(self, stage: str | None = None) -> None:
        """Read what a stage needs: "fit" and "validate" the training file, "test" and "predict" the test file."""
        if stage in ("fit", "validate", None) and "train" not in self.splits:
            whole = self._read("train")
            mean, std = statistics(whole.images)
            self.mean, self.std = self.mean or mean, self.std or std
            if min(std) == 0:
                raise DataError(f"{self.dataset}: every pixel of the training images has the same value")
            train, val = self._parted(whole)
            self.splits["train"] = self._with_made(self._limited(train))
            self.splits["val"] = self._limited(val)
        if stage in ("test", "predict", None) and "test" not in self.splits:
            self.splits["test"] = self._limited(self._read("test"))

    def train_dataloader(self) -> BatchLoader:
        """Shuffled batches, their order a pure function of seed and epoch."""
        return self._loader("train")

    def val_dataloader(self) -> BatchLoader | list[Any]:
        """Batches of the images held out, an empty list if there are none."""
        return self._loader("val") if len(self.splits["val"].images) else []

    def test_dataloader(self) -> BatchLoader:
        """Batches of the official test split."""
        return self._loader("test")

    def predict_dataloader(self) -> BatchLoader:
        """The official test split, in its order."""
        return self._loader("test")

    def transfer_batch_to_device(
        self, batch: tuple[Tensor, Tensor], device: torch.device, dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """The batch as it is: a slice of tensors on the device."""
        return batch

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Augment training images, and only these; a step's random state is a pure function of seed, step and rank."""
        assert self.trainer is not None
        if not self.trainer.training:
            return batch
        images, labels = batch
        seed_draws(mix(self.seed, self.trainer.fit_loop.total_batch_idx, self.trainer.global_rank), images.device)
        if self.augment is None:
            return batch
        return self.augment(images.float() / 255), labels

    def _loader(self, name: str) -> BatchLoader:
        assert self.trainer is not None
        trainer, (images, labels) = self.trainer, self.splits[name]
        device = trainer.strategy.root_device
        split = self.splits[name] = Split(images.to(device), labels.to(device))
        train, loop = name == "train", trainer.fit_loop.epoch_loop
        return BatchLoader(
            *split,
            batch_size=self.batch_size if train else self.eval_batch_size,
            order=(lambda: shuffled(self.seed, trainer.current_epoch, len(split.images))) if train else None,
            begin=lambda: loop.batch_progress.current.ready if loop.restarting else 0,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )

    def _read(self, split: Literal["train", "val", "test"]) -> Split:
        images, labels = datasets.load(self.dataset, split, self.root, self.skip_damaged)
        if self.classes is not None:
            labels = torch.tensor([self.class_names.index(name) for name in self._own_classes])[labels]
        return Split(images, labels)

    def _parted(self, whole: Split) -> tuple[Split, Split]:
        """Training and validation images, given or held out."""
        if datasets.has_validation(self.dataset, self.root):
            return whole, self._read("val")
        train, val = stratified_split(whole.labels, self.val_size, self.split_seed)
        if lost := sorted(set(whole.labels.tolist()) - set(whole.labels[train].tolist())):
            names = ", ".join(self.class_names[label] for label in lost)
            raise UsageError(
                f"data.val_size={self.val_size} of {counted(len(whole.labels), 'training image')} "
                f"leaves none of class {names}.\n"
                "Next: hold out fewer, none with data.val_size=0, or add images of these classes"
            )
        return Split(*(part[train] for part in whole)), Split(*(part[val] for part in whole))

    def _with_made(self, split: Split) -> Split:
        made = self.written + self.non_digits
        if not made:
            return split
        if self._rehearses:  # few pictures would be lost among the others
            split = Split(*(part.repeat_interleave(max(1, round(OWN * made / len(split.labels))), 0) for part in split))
        from digitrec.data.synthetic.non_digits import non_digits
        from digitrec.data.synthetic.written import written_digits

        for name, count, make in (
            ("written", self.written, written_digits),
            ("non_digits", self.non_digits, non_digits),
        ):
            if not count:
                continue
            if self.class_names != DIGITS or split.images.shape[1:] != (1, 28, 28):
                raise UsageError(f"data.{name}={count}: {self.dataset} does not show the digits 0 to 9 in 28x28 pixels")
            more = make(count, self.split_seed)
            split = Split(torch.cat([split.images, more.images]), torch.cat([split.labels, more.labels]))
        return split

    def _limited(self, split: Split) -> Split:
        if self.limit is None or self.limit >= len(split.labels):
            return split
        _, chosen = stratified_split(split.labels, self.limit, self.split_seed)
        return Split(split.images[chosen], split.labels[chosen])


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what random operations on the CPU and on `device` draw from.

    `torch.manual_seed` would also note a stack trace for each kind of accelerator that is absent, at every step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(seed)


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 images (N, C, H, W), as values in [0, 1], in float64."""
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in images.unbind(dim=1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = (share * values).sum()
        means.append(mean.item())
        deviations.append((share * (values - mean) ** 2).sum().sqrt().item())
    return tuple(means), tuple(deviations)


def stratified_split(labels: Tensor, val_size: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of training images in random order, and of validation images, classes in the same proportion.

    Args:
        labels: (N,) int64.
        val_size: number of validation images, or below 1 their share.
        seed: draws them.

    Raises:
        UsageError: no image would be left to train on.
    """
    size = len(labels)
    held_out = round(val_size * size) if val_size < 1 else int(val_size)
    if held_out >= size:
        raise UsageError(
            f"data.val_size={val_size}: the data set has {counted(size, 'training image')}; hold out fewer"
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(size, generator=generator)
    # Within its class, image k of n stands at (k + 1/2) / n; the first ones over all classes are a fair share of each.
    shuffled = labels[order]
    by_class, counts = shuffled.argsort(stable=True), labels.bincount()
    first, total = (values[shuffled[by_class]] for values in (counts.cumsum(0) - counts, counts))
    position = torch.empty(size, dtype=torch.float64)
    position[by_class] = ((torch.arange(size) - first).double() + 0.5) / total
    by_position = order[position.argsort(stable=True)]
    shuffle = torch.randperm(size - held_out, generator=generator)
    return by_position[held_out:][shuffle], by_position[:held_out]
