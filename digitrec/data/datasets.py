"""Data sets as fact sheets, and each of their splits as tensors: uint8 (N, 1, 28, 28), white ink on black."""

import hashlib
import os
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
import platformdirs
import torch
from torch import Tensor

from digitrec.data import files, folder
from digitrec.data.framing import frame
from digitrec.data.labels import DIGITS
from digitrec.errors import DataError, UsageError
from digitrec.preprocessing.framing import SIDE
from digitrec.system.wording import counted, near

Part = Literal["test10k", "test50k"]  # of QMNIST's test images: those of MNIST built again, and those that it left out
SplitName = Literal["train", "val", "test"] | Part
PARTS: tuple[Part, ...] = get_args(Part)


class Split(NamedTuple):
    """Images uint8 (N, 1, 28, 28), ink 255 on background 0, and labels int64 (N,) counted from 0."""

    images: Tensor
    labels: Tensor


class Reader(Protocol):
    """How a data set is fetched and read below a root folder."""

    def prepare(self, root: Path, mirrors: Sequence[str] | None, /) -> None:
        """Make every file present and sound."""

    def read(self, root: Path, split: str, /) -> tuple[Tensor, Tensor]:
        """Read one split: images uint8 (N, H, W) and integer labels (N,)."""

    def training_files(self, root: Path, /) -> list[Path]:
        """Files that training reads; empty when they come with an installed package."""


@dataclass(frozen=True)
class Torchvision:
    """A data set that one of torchvision's classes reads from ``<root>/<class>/raw``.

    ``names``: image and label file of each split, or the one file that holds both. ``md5s``: published
    digests of extracted files; torchvision has those of the archives.
    """

    dataset: str
    names: Mapping[str, tuple[str, ...]]
    md5s: Mapping[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    first_label: int = 0
    transposed: bool = False

    def prepare(self, root: Path, mirrors: Sequence[str] | None) -> None:
        """Fetch what is missing or damaged; raises DataError when that fails."""
        needed = [name for names in self.names.values() for name in names]
        files.ensure(self._folder(root), self._archives(), needed, mirrors)

    def read(self, root: Path, split: str) -> tuple[Tensor, Tensor]:
        """Read a split's own files; raises DataError for a missing or misshapen one."""
        for name in self.names["test" if split in PARTS else split]:
            files.verify(self._folder(root) / name)
        data = self._open(root, split)
        images, labels = torch.as_tensor(data.data), torch.as_tensor(data.targets)
        if labels.ndim == 2:  # QMNIST: class, series, writer, ...
            labels = labels[:, 0]
        return images.mT if self.transposed else images, labels - self.first_label

    def writers(self, root: Path, split: str) -> Tensor | None:
        """Number (N,) of the writer of each image of a split; None where the data set does not name them."""
        if self.dataset != "QMNIST":
            return None
        return torch.as_tensor(self._open(root, split).targets)[:, 2].long()

    def training_files(self, root: Path) -> list[Path]:
        """Image and label file of the training split."""
        return [self._folder(root) / name for name in self.names["train"]]

    def _folder(self, root: Path) -> Path:
        return root / self.dataset / "raw"

    def _class(self) -> Any:
        import torchvision

        return getattr(torchvision.datasets, self.dataset)

    def _open(self, root: Path, split: str) -> Any:
        """Open a split by torchvision's class.

        By itself it would require the other split's files, and prefer a pickle in ``processed``, unchecked.
        """
        ours = {
            "raw_folder": str(self._folder(root)),
            "_check_exists": lambda _: True,
            "_check_legacy_exist": lambda _: False,
        }
        options = self.options | ({"what": split} if split in PARTS else {})
        return type(self.dataset, (self._class(),), ours)(self._folder(root), train=split == "train", **options)

    def _archives(self) -> list[files.Archive]:
        """List the archives that torchvision's class names, each class in its own way."""
        published = self._class()
        if self.dataset == "EMNIST":
            return [_archive(published.url, published.md5, dict.fromkeys(_EMNIST_FILES))]
        if self.dataset == "USPS":
            return [_archive(url, md5, {name: md5}) for url, name, md5 in published.split_list.values()]
        resources = published.resources
        if self.dataset == "QMNIST":
            resources = resources["train"] + resources["test"]
        names = [url.rpartition("/")[2].removesuffix(".gz") for url, _ in resources]
        return [
            _archive(url, md5, {name: self.md5s.get(name)}, published.mirrors)
            for name, (url, md5) in zip(names, resources, strict=True)
        ]


def _archive(url: str, md5: str, contents: Mapping[str, str | None], mirrors: Sequence[str] = ()) -> files.Archive:
    base, _, name = url.rpartition("/")
    return files.Archive(name, md5, [base] if base else mirrors, contents)


class Digits:
    """The digits that come with scikit-learn: 8x8 pixels of 0..16; a fifth of each class is for testing."""

    def prepare(self, _root: Path, _mirrors: Sequence[str] | None) -> None:
        """Nothing to fetch."""

    def read(self, _root: Path, split: str) -> tuple[Tensor, Tensor]:
        """Read both splits and return one."""
        scikit_learn = find_spec("sklearn")  # found, not imported: for one file that would take a second
        assert scikit_learn is not None
        assert scikit_learn.submodule_search_locations is not None
        file = Path(*scikit_learn.submodule_search_locations, "datasets", "data", "digits.csv.gz")
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
        images, labels = (
            torch.tensor(table[:, :-1].reshape(-1, 8, 8) * 255 / 16).round().byte(),
            torch.tensor(table[:, -1]),
        )
        rows = [(labels == label).nonzero().flatten().tolist() for label in range(10)]
        test = [int(name) for of_class in rows for name in folder.held_out(map(str, of_class))]
        chosen = torch.isin(torch.arange(len(labels)), torch.tensor(test), invert=split == "train")
        return images[chosen], labels[chosen]

    def training_files(self, _root: Path) -> list[Path]:
        """None of ours."""
        return []


@dataclass(frozen=True)
class Folder:
    """Your own pictures: ``root`` itself is the folder, with the layout of `digitrec.data.folder`.

    ``skip_damaged``: skip unreadable pictures with a warning.
    """

    skip_damaged: bool = False

    def prepare(self, root: Path, _mirrors: Sequence[str] | None) -> None:
        """Check the layout and that every file is a picture."""
        folder.check(root, self.skip_damaged)

    def read(self, root: Path, split: str) -> tuple[Tensor, Tensor]:
        """Read and frame the pictures of a split."""
        return folder.load(root, split, self.skip_damaged)

    def training_files(self, root: Path) -> list[Path]:
        """Pictures of the training split that may be opened."""
        return [path for path, _ in folder.pictures(root, "train") if os.access(path, os.R_OK)]


@dataclass(frozen=True)
class FactSheet:
    """What a data set is, where it comes from and how it is read.

    ``train_size`` and ``test_size`` count images; ``mean`` and ``std`` are those of all training pixels in
    [0, 1], after framing where images are framed. None: unknown before the data are read. ``statistics``:
    where mean and std come from.
    """

    name: str
    title: str
    source: str
    licence: str
    train_size: int | None
    test_size: int | None
    class_names: tuple[str, ...]
    reader: Reader
    mean: float | None = None
    std: float | None = None
    statistics: str = "not published by its makers; computed from the training images when they are loaded"


def _idx(train: str, test: str, labels: str = "labels-idx1-ubyte") -> dict[str, tuple[str, str]]:
    return {
        split: (f"{stem}-images-idx3-ubyte", f"{stem}-{labels}") for split, stem in (("train", train), ("test", test))
    }


def _emnist(split: str) -> dict[str, tuple[str, str]]:
    return _idx(f"emnist-{split}-train", f"emnist-{split}-test")


# One archive of 560 MB holds all of EMNIST, so fetching one set brings the other two along.
_EMNIST_FILES = [
    name for split in ("digits", "letters", "balanced") for pair in _emnist(split).values() for name in pair
]

_SHEETS = (
    FactSheet(
        name="mnist",
        title="MNIST handwritten digits",
        source="http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes and Burges, 1998)",
        licence="CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes",
        train_size=60_000,
        test_size=10_000,
        class_names=DIGITS,
        mean=0.1307,
        std=0.3081,
        statistics="measured over all pixels of the 60,000 training images, in float64",
        reader=Torchvision(
            "MNIST",
            _idx("train", "t10k"),
            md5s={
                "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
                "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
                "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
                "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
            },
        ),
    ),
    FactSheet(
        name="digits",
        title="Optical recognition of handwritten digits: 8x8 pixels, framed as MNIST's are, by 13 writers",
        source="https://archive.ics.uci.edu/dataset/80 (Alpaydin and Kaynak, 1998), within scikit-learn",
        licence="CC BY 4.0",
        train_size=1_438,
        test_size=359,
        class_names=DIGITS,
        mean=0.1592,
        std=0.2984,
        statistics="measured over all pixels of the 1,438 framed training images, in float64",
        reader=Digits(),
    ),
    FactSheet(
        name="fashion_mnist",
        title="Fashion-MNIST: articles of clothing",
        source="https://github.com/zalandoresearch/fashion-mnist (Xiao et al., 2017, arXiv:1708.07747)",
        licence="MIT",
        train_size=60_000,
        test_size=10_000,
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mean=0.2860,
        std=0.3530,
        statistics="training images, as computed by https://github.com/chatflip/CalculationMeanStd",
        reader=Torchvision("FashionMNIST", _idx("train", "t10k")),
    ),
    FactSheet(
        name="kmnist",
        title="Kuzushiji-MNIST: ten cursive hiragana from old Japanese books",
        source="https://github.com/rois-codh/kmnist (Clanuwat et al., 2018, arXiv:1812.01718)",
        licence="CC BY-SA 4.0; attribute: KMNIST Dataset (created by CODH), adapted from Kuzushiji Dataset "
        "(created by NIJL and others), doi:10.20676/00000341",
        train_size=60_000,
        test_size=10_000,
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        reader=Torchvision("KMNIST", _idx("train", "t10k")),
    ),
    FactSheet(
        name="qmnist",
        title="QMNIST: MNIST built again from NIST's originals, with all 60,000 test digits",
        source="https://github.com/facebookresearch/qmnist (Yadav and Bottou, 2019, arXiv:1905.10498)",
        licence="BSD 3-Clause",
        train_size=60_000,
        test_size=60_000,
        class_names=DIGITS,
        reader=Torchvision("QMNIST", _idx("qmnist-train", "qmnist-test", "labels-idx2-int")),
    ),
    FactSheet(
        name="usps",
        title="USPS: digits from envelopes, 16x16 pixels, framed as MNIST's are",
        source="https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps (Hull, 1994)",
        licence="not stated by its source",
        train_size=7_291,
        test_size=2_007,
        class_names=DIGITS,
        reader=Torchvision("USPS", {"train": ("usps.bz2",), "test": ("usps.t.bz2",)}),
    ),
    *(
        FactSheet(
            name=f"emnist_{split}",
            title=f"EMNIST {split}: {what}",
            source="https://www.nist.gov/itl/products-and-services/emnist-dataset (Cohen et al., 2017)",
            licence="not stated by its source; derived from NIST Special Database 19",
            train_size=train_size,
            test_size=test_size,
            class_names=tuple(classes),
            reader=Torchvision(
                "EMNIST",
                _emnist(split),
                options={"split": split},
                first_label=1 if split == "letters" else 0,
                transposed=True,
            ),
        )
        for split, what, train_size, test_size, classes in (
            ("digits", "ten balanced classes", 240_000, 40_000, DIGITS),
            ("letters", "capital and small letters merged", 124_800, 20_800, string.ascii_lowercase),
            (
                "balanced",
                "digits and letters, small ones merged into capitals of the same shape",
                112_800,
                18_800,
                string.digits + string.ascii_uppercase + "abdefghnqrt",
            ),
        )
    ),
    FactSheet(
        name="folder",
        title="Your own pictures, one sub-folder per class",
        source="data.root",
        licence="the owner's",
        train_size=None,
        test_size=None,
        class_names=(),
        statistics="computed from the training images when they are loaded",
        reader=Folder(),
    ),
)
DATASETS: dict[str, FactSheet] = {sheet.name: sheet for sheet in _SHEETS}


def data_root(root: str | Path | None) -> Path:
    """Folder of the data files: ``root``, else DIGITREC_DATA_DIR if set, else the user's cache folder."""
    chosen = root or os.environ.get("DIGITREC_DATA_DIR")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("digitrec")


def prepare(
    name: str, root: str | Path | None = None, mirrors: Sequence[str] | None = None, skip_damaged: bool = False
) -> None:
    """Make every file of a data set present and sound, downloading only what is not; once per node is enough.

    ``mirrors``: base URLs in place of the published ones. ``skip_damaged``: skip unreadable pictures
    of a folder with a warning.
    Raises DataError when a file is missing or damaged and cannot be fetched, UsageError for an unknown name.
    """
    _reader(name, skip_damaged).prepare(_where(name, root), mirrors)


def class_names(name: str, root: str | Path | None = None) -> tuple[str, ...]:
    """Names of the classes in the order of their labels."""
    return _sheet(name).class_names or folder.class_names(_where(name, root))


def has_validation(name: str, root: str | Path | None = None) -> bool:
    """Whether a folder of pictures has validation pictures of its own."""
    return name == "folder" and folder.has_validation(_where(name, root))


def is_parted(name: str, root: str | Path | None = None) -> bool:
    """Whether the test split of a folder of pictures is a fifth of each class."""
    return name == "folder" and folder.is_parted(_where(name, root))


def load(name: str, split: SplitName, root: str | Path | None = None, skip_damaged: bool = False) -> Split:
    """Read one split, and no file of the other; never downloads.

    "val" exists where `has_validation` is true, "test10k" and "test50k" of QMNIST.

    Raises DataError for a missing, misshapen or inconsistent file, UsageError for an unknown name.
    """
    where = _where(name, root)
    images, labels = _reader(name, skip_damaged).read(where, split)
    last = len(class_names(name, root)) - 1
    if not 0 < len(images) == len(labels):
        found, expected = (
            f"{counted(len(images), 'image')} and {counted(len(labels), 'label')}",
            "as many of each, and some",
        )
    elif not 0 <= labels.min() <= labels.max() <= last:
        found, expected = f"labels from {labels.min()} to {labels.max()}", f"0 to {last}"
    else:
        return Split(_framed(images), labels.long())
    raise DataError(f"{name} ({split}) in {where} has {found}, expected {expected}.\nNext: fetch it again.")


def writers(name: str, root: str | Path | None = None, split: SplitName = "train") -> Tensor | None:
    """Number (N,) of the writer of each image of a split; None where the data set does not name them."""
    reader = _sheet(name).reader
    return reader.writers(_where(name, root), split) if isinstance(reader, Torchvision) else None


def checksum(name: str, root: str | Path | None = None) -> str:
    """Digest of the training data, 16 hexadecimal digits: of its files, or of tensors where it has none."""
    digest = hashlib.sha256()
    paths = _sheet(name).reader.training_files(_where(name, root))
    for path in paths:
        files.verify(path)
        digest.update(os.fsencode("/".join(path.parts[-2:])))  # a picture's folder is its class
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for tensor in load(name, "train", root) if not paths else ():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def _sheet(name: str) -> FactSheet:
    if name in DATASETS:
        return DATASETS[name]
    hint = near(name, DATASETS) or f"; there are {', '.join(DATASETS)}"
    raise UsageError(f"there is no data set {name!r}{hint}")


def _reader(name: str, skip_damaged: bool) -> Reader:
    reader = _sheet(name).reader
    return replace(reader, skip_damaged=skip_damaged) if isinstance(reader, Folder) else reader


def _framed(images: Tensor) -> Tensor:
    """Bring images of any size, uint8 (N, H, W), to (N, 1, 28, 28); those of that size are framed already."""
    if images.shape[1:] != (SIDE, SIDE):
        images = torch.stack([frame(image) for image in images])
    return images.unsqueeze(1).contiguous()


def _where(name: str, root: str | Path | None) -> Path:
    if name == "folder" and not root:
        raise UsageError(f"data=folder reads your own pictures, but no folder was given.\n{folder.LAYOUT}")
    return data_root(root)
