"""The LightningDataModule: one data set, split, on the device, augmented in one place."""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from lightning import LightningDataModule
from torch import Tensor

from digitrec.config.folds import check_folds
from digitrec.data import datasets
from digitrec.data.augmentation import Augmentation, Compose, Mixing
from digitrec.data.datasets import Part, Split, SplitName
from digitrec.data.labels import DIGITS, NO_DIGIT
from digitrec.data.loader import BatchLoader, mix, shuffled
from digitrec.data.splitting import fold_split, stratified_split, stratified_subset
from digitrec.errors import DataError, UsageError
from digitrec.system.wording import counted

REHEARSAL = 3000  # images
SETTLED = ("classes", "written", "non_digits", "rehearses")
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
        folds: cross-validation: the training images are parted into so many folds, stratified, and by writer where the
            data set names them; takes the place of `val_size`.
        fold: the one that is held out, 0 to folds - 1.
        part: of QMNIST's test images; None takes all.
        limit: at most this many images of each split.
        train_limit: at most this many training images, stratified; a larger set contains every smaller one.
        balance: how far classes weigh the same in the training loss: 0 not at all (each image does), 1 fully.
        classes: names of the classes, label 0 first; None: those of the data set.
        skip_damaged: skip unreadable pictures of a folder with a warning.
        written: synthetic digits, in more writing styles, added to the training images.
        non_digits: synthetic images without a digit, added to the training images as `NO_DIGIT`, to learn rejection.
        rehearsal: synthetic images added in training on from another network (`go_on_from`), nine in ten digits,
            so that it still reads what the data set does not show; None is `REHEARSAL` for a folder, else 0.
        augmentations: applied to training images in their order.
        seed: draws the order of batches and the augmentations.

    Raises:
        UsageError: no such data set, or no image of a class is left to train on.
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
        folds: Annotated[int, Ge(2)] | None = None,
        fold: Annotated[int, Ge(0)] | None = None,
        part: Part | None = None,
        limit: Annotated[int, Gt(1)] | None = None,
        train_limit: Annotated[int, Gt(1)] | None = None,
        balance: Annotated[float, Ge(0), Le(1)] = 0.0,
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
        check_folds(folds, fold)
        if part is not None and dataset != "qmnist":
            raise UsageError(f"data.part={part}: only the test images of data=qmnist have parts")
        self.dataset = dataset
        self.root = root
        self.mirrors = mirrors
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.val_size = val_size
        self.split_seed = split_seed
        self.folds = folds
        self.fold = fold
        self.part: Part | None = part
        self.limit = limit
        self.train_limit = train_limit
        self.balance = balance
        self.classes = None if classes is None else tuple(map(str, classes))
        self.skip_damaged = skip_damaged
        self.written = written
        self.non_digits = non_digits
        self.rehearsal = (REHEARSAL if dataset == "folder" else 0) if rehearsal is None else rehearsal
        self.rehearses = False
        self.mixings = [augmentation for augmentation in augmentations if isinstance(augmentation, Mixing)]
        single = [augmentation for augmentation in augmentations if not isinstance(augmentation, Mixing)]
        self.augment = Compose(single) if single else None
        self.seed = seed
        self._prepared = False
        self.mean: tuple[float, ...] = ()
        self.std: tuple[float, ...] = ()
        self.splits: dict[str, Split] = {}
        self.test_writers: Tensor | None = None

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
        self.rehearses = self.rehearsal > 0 and self.class_names == DIGITS == tuple(class_names)
        if self.rehearses:
            no_digits = self.rehearsal // 10 if rejects else 0
            self.written, self.non_digits = self.written + self.rehearsal - no_digits, self.non_digits + no_digits
        return [name for name in self.class_names if name not in self._own_classes]

    def state_dict(self) -> dict[str, Any]:
        """What `go_on_from` has settled; a training that is resumed takes it from its checkpoint."""
        return {name: getattr(self, name) for name in SETTLED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was settled."""
        for name in SETTLED:
            setattr(self, name, state_dict[name])

    @cached_property
    def checksum(self) -> str:
        """Digest of the data set's training files."""
        return datasets.checksum(self.dataset, self.root)

    @property
    def class_weights(self) -> Tensor | None:
        """Weight (C,) of each class in the training loss, 1 in the mean over images; None if images weigh the same.

        Raises:
            UsageError: a class has no image.
        """
        if not self.balance:
            return None
        labels = self.splits["train"].labels
        counts = labels[labels != NO_DIGIT].bincount(minlength=len(self.class_names)).double()
        if absent := [name for name, count in zip(self.class_names, counts.tolist(), strict=True) if not count]:
            raise UsageError(f"data.balance={self.balance}: there is no training image of class {', '.join(absent)}")
        weights = counts**-self.balance
        return (weights * counts.sum() / (weights * counts).sum()).float()

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
            train = self._limited(train, self.limit)
            chosen = self._limited(train, self.train_limit)
            if lost := self._lost(train, chosen):
                raise UsageError(
                    f"data.train_limit={self.train_limit} leaves no training image of class {lost}; take more images"
                )
            self.splits["train"] = self._with_made(chosen)
            self.splits["val"] = self._limited(val, self.limit)
        if stage in ("test", "predict", None) and "test" not in self.splits:
            name: SplitName = self.part or "test"
            whole, writers = self._read(name), datasets.writers(self.dataset, self.root, name)
            self.splits["test"] = self._limited(whole, self.limit)
            if writers is not None:
                self.test_writers = self._limited(Split(writers, whole.labels), self.limit).images

    def out_of_fold(self) -> tuple[Split, Tensor]:
        """All training images, and the fold (N,) int64 of each: the network of that fold has not been trained on it."""
        assert self.folds is not None
        whole = self._read("train")
        folds = torch.empty_like(whole.labels)
        for fold in range(self.folds):
            folds[self._fold_split(whole.labels, fold)[1]] = fold
        return whole, folds

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

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, ...]:
        """Augment training images, and only these; a step's random state is a pure function of seed, step and rank.

        Mixed images come with the labels of those mixed in, and with the share that each has kept.
        """
        assert self.trainer is not None
        if not self.trainer.training:
            return batch
        images, labels = batch
        seed_draws(mix(self.seed, self.trainer.fit_loop.total_batch_idx, self.trainer.global_rank), images.device)
        if self.augment is not None or self.mixings:
            images = images.float() / 255
        if self.augment is not None:
            images = self.augment(images)
        if not self.mixings:
            return images, labels
        mixing = self.mixings[int(torch.randint(len(self.mixings), ()))]  # drawn on the CPU, whatever the device
        images, share = mixing.mix(images)
        return images, labels, labels.roll(1), share

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

    def _read(self, split: SplitName) -> Split:
        images, labels = datasets.load(self.dataset, split, self.root, self.skip_damaged)
        if self.classes is not None:
            labels = torch.tensor([self.class_names.index(name) for name in self._own_classes])[labels]
        return Split(images, labels)

    def _parted(self, whole: Split) -> tuple[Split, Split]:
        """Training and validation images, given or held out."""
        if datasets.has_validation(self.dataset, self.root):
            if self.folds is not None:
                raise UsageError(f"data.folds={self.folds}: {self.root} has validation pictures of its own, in valid/")
            return whole, self._read("val")
        if self.fold is not None:
            train, val = self._fold_split(whole.labels, self.fold)
        else:
            train, val = stratified_split(whole.labels, self.val_size, self.split_seed)
        parted = Split(*(part[train] for part in whole)), Split(*(part[val] for part in whole))
        if lost := self._lost(whole, parted[0]):
            raise UsageError(
                f"data.val_size={self.val_size} of {counted(len(whole.labels), 'training image')} "
                f"leaves none of class {lost}.\n"
                "Next: hold out fewer, none with data.val_size=0, or add images of these classes"
            )
        return parted

    def _fold_split(self, labels: Tensor, fold: int) -> tuple[Tensor, Tensor]:
        assert self.folds is not None
        return fold_split(labels, fold, self.folds, self.split_seed, datasets.writers(self.dataset, self.root))

    def _lost(self, whole: Split, part: Split) -> str:
        """Names of the classes that have images, but none in this part."""
        lost = sorted(set(whole.labels.tolist()) - set(part.labels.tolist()))
        return ", ".join(self.class_names[label] for label in lost)

    def _with_made(self, split: Split) -> Split:
        made = self.written + self.non_digits
        if not made:
            return split
        if self.rehearses:  # few pictures would be lost among the others
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

    def _limited(self, split: Split, limit: int | None) -> Split:
        if limit is None or limit >= len(split.labels):
            return split
        chosen = stratified_subset(split.labels, limit, self.split_seed)
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
