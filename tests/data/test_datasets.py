import bz2
import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import yaml

from digitrec.data import datamodule, datasets, files
from digitrec.data.datasets import DATASETS, FactSheet, Split, SplitName, Torchvision, checksum, load, prepare
from digitrec.errors import DataError, UsageError
from tests.idx import write_qmnist

CONF = Path(__file__).parents[2] / "conf" / "data"
REAL = Path(os.environ.get("DIGITREC_DATA_DIR", "nowhere"))
PUBLISHED = {name: sheet.reader for name, sheet in DATASETS.items() if isinstance(sheet.reader, Torchvision)}
NOWHERE = "http://127.0.0.1:9/"  # the discard port: nothing listens there

Arrays = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) or (N, 16, 16) and labels (N,), upright


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def drawn(sheet: FactSheet) -> dict[str, Arrays]:
    """Random images of each split: more of them for training, every class among them."""
    rng, side, classes = np.random.default_rng(0), 16 if sheet.name == "usps" else 28, len(sheet.class_names)
    labels = {"train": np.arange(2 * classes) % classes, "test": np.arange(classes)[::-1]}
    return {split: (rng.integers(0, 256, (len(of), side, side), dtype=np.uint8), of) for split, of in labels.items()}


def qmnist_labels(labels: np.ndarray) -> np.ndarray:
    """Labels (N, 8) as QMNIST has them: class, series, writer and so on."""
    columns = np.arange(8, dtype=np.int32) * 1000 + 77
    return np.where(np.arange(8) == 0, labels[:, None], columns).astype(np.int32)


def usps_lines(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Lines of LIBSVM's format: labels from 1, pixels from -1 (paper) to 1 (ink)."""
    rows = images.reshape(len(images), 256) / 127.5 - 1
    pixels = [" ".join(f"{index + 1}:{value:.6f}" for index, value in enumerate(row)) for row in rows]
    return "".join(f"{label + 1} {row}\n" for label, row in zip(labels, pixels, strict=True)).encode()


@pytest.fixture
def publish(mirror: Any, idx: Any, gz: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Arrays]]:
    """Put a small data set on the mirror, in the real one's format and under its names."""
    monkeypatch.setattr(files, "PAUSE", 0.0)

    def serve(name: str, content: bytes) -> tuple[str, str]:
        mirror.files[name] = content
        return name, md5(content)

    def publish(name: str) -> dict[str, Arrays]:
        import torchvision

        sheet, reader = DATASETS[name], PUBLISHED[name]
        arrays, of = drawn(sheet), getattr(torchvision.datasets, reader.dataset)
        if name == "usps":
            lists = {
                split: [f"https://elsewhere/{file}", *serve(file, bz2.compress(usps_lines(*arrays[split])))]
                for split, (file,) in reader.names.items()
            }
            monkeypatch.setattr(of, "split_list", lists)
            return arrays
        contents = {}
        for split, (image_file, label_file) in reader.names.items():
            images, labels = arrays[split]
            contents[image_file] = idx(images.transpose(0, 2, 1) if reader.transposed else images)
            contents[label_file] = idx(
                qmnist_labels(labels) if name == "qmnist" else (labels + reader.first_label).astype(np.uint8)
            )
        if reader.dataset == "EMNIST":
            blank = {
                file: idx(np.zeros((1, 28, 28) if "idx3" in file else 1, np.uint8))
                for other in ("emnist_digits", "emnist_letters", "emnist_balanced")
                for pair in PUBLISHED[other].names.values()
                for file in pair
            }
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for file, content in (blank | contents).items():
                    archive.writestr(f"gzip/{file}.gz", gz(content))
            monkeypatch.setattr(of, "md5", serve("gzip.zip", buffer.getvalue())[1])
            return arrays
        resources = [serve(f"{file}.gz", gz(content)) for file, content in contents.items()]
        monkeypatch.setattr(of, "resources", resources)
        if name == "qmnist":
            monkeypatch.setattr(of, "resources", {"train": resources[:2], "test": resources[2:]})
        for file in reader.md5s:
            monkeypatch.setitem(reader.md5s, file, md5(contents[file]))
        return arrays

    return publish


def check(split: Split, sheet: FactSheet, size: int | None) -> None:
    images, labels = split
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    assert images.shape == (len(labels), 1, 28, 28)
    assert images.is_contiguous()
    assert size is None or len(labels) == size
    assert labels.unique().tolist() == list(range(len(sheet.class_names)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_set_comes_from_a_mirror_once_upright_and_with_labels_from_zero(
    name: str, publish: Any, mirror: Any, tmp_path: Path
) -> None:
    arrays = publish(name)
    prepare(name, tmp_path, mirrors=[mirror.url])
    fetched = list(mirror.requests)
    for split in ("train", "test"):
        images, labels = arrays[split]
        loaded = load(name, split, tmp_path)
        check(loaded, DATASETS[name], len(labels))
        assert loaded.labels.tolist() == labels.tolist()
        if name != "usps":
            assert np.array_equal(loaded.images[:, 0].numpy(), images)
    prepare(name, tmp_path, mirrors=[NOWHERE])
    assert sorted(mirror.requests) == sorted(fetched) == sorted(mirror.files)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_split_is_read_without_the_others_files(name: str, publish: Any, mirror: Any, tmp_path: Path) -> None:
    publish(name)
    prepare(name, tmp_path, mirrors=[mirror.url])
    raw = tmp_path / PUBLISHED[name].dataset / "raw"
    for file in PUBLISHED[name].names["test"]:
        (raw / file).unlink()
    load(name, "train", tmp_path)
    with pytest.raises(DataError, match="is missing"):
        load(name, "test", tmp_path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_torchvision_publishes_covers_the_files_we_read(name: str) -> None:
    archives = PUBLISHED[name]._archives()
    assert {file for names in PUBLISHED[name].names.values() for file in names} <= {
        file for archive in archives for file in archive.files
    }
    for archive in archives:
        assert len(archive.md5) == 32
        assert archive.mirrors
        assert all(mirror.startswith("http") for mirror in archive.mirrors)


@pytest.fixture
def qmnist(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Labels and writers of 10,040 test images of QMNIST, with the last byte of their index in each image."""
    labels, writers, images = (
        np.arange(10_040) % 10,
        np.arange(10_040) // 12 + 500,
        np.zeros((10_040, 28, 28), np.uint8),
    )
    images[:, 14, 14] = np.arange(10_040) % 256
    write_qmnist(tmp_path, images, labels, writers)
    return labels, writers


def test_parts_of_qmnist_have_their_images_labels_and_writers(
    qmnist: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    labels, writers = qmnist
    parts: dict[SplitName, slice] = {"test10k": slice(10_000), "test50k": slice(10_000, None), "test": slice(None)}
    for name, part in parts.items():
        found = load("qmnist", name, tmp_path)
        assert found.labels.tolist() == labels[part].tolist()
        assert found.images[:, 0, 14, 14].tolist() == (np.arange(10_040) % 256)[part].tolist()
        by_image = datasets.writers("qmnist", tmp_path, name)
        assert by_image is not None
        assert by_image.tolist() == writers[part].tolist()
    assert datasets.writers("mnist", tmp_path, "test") is None


def test_a_limited_part_keeps_its_writers(qmnist: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    module = datamodule.DigitDataModule("qmnist", str(tmp_path), part="test50k", limit=20)
    module.setup("test")
    assert module.test_writers is not None
    indices = (module.splits["test"].images[:, 0, 14, 14].int() - 10_000) % 256 + 10_000
    assert module.test_writers.tolist() == qmnist[1][indices].tolist()
    assert len(indices) == 20
    with pytest.raises(UsageError, match=r"data\.part=test10k: only the test images of data=qmnist"):
        datamodule.DigitDataModule("mnist", part="test10k")


def test_usps_ends_as_white_ink_framed_like_mnists(tmp_path: Path) -> None:
    images = np.zeros((10, 16, 16), np.uint8)
    images[:, 1:15, 4:9] = 255
    raw = tmp_path / "USPS" / "raw"
    raw.mkdir(parents=True)
    (raw / "usps.bz2").write_bytes(bz2.compress(usps_lines(images, np.arange(10))))
    image = load("usps", "train", tmp_path).images[0, 0]
    inked = image > 127
    assert [int(inked.any(dim).sum()) for dim in (1, 0)] == [20, 7]
    assert image[14, 14] == 255
    assert image[0, 0] == 0


def test_emnists_class_names_are_the_characters() -> None:
    assert "".join(DATASETS["emnist_letters"].class_names) == "abcdefghijklmnopqrstuvwxyz"
    balanced = "".join(DATASETS["emnist_balanced"].class_names)
    assert balanced == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"


def test_a_pickle_of_old_torchvision_is_not_read(publish: Any, mirror: Any, tmp_path: Path) -> None:
    arrays = publish("kmnist")
    prepare("kmnist", tmp_path, mirrors=[mirror.url])
    (tmp_path / "KMNIST" / "processed").mkdir()
    for file in ("training.pt", "test.pt"):
        torch.save((torch.zeros(1, 28, 28), torch.zeros(1)), tmp_path / "KMNIST" / "processed" / file)
    assert len(load("kmnist", "train", tmp_path).labels) == len(arrays["train"][1])


def test_loading_never_downloads(publish: Any, mirror: Any, tmp_path: Path) -> None:
    publish("mnist")
    with pytest.raises(DataError, match="train-images-idx3-ubyte is missing"):
        load("mnist", "train", tmp_path)
    assert mirror.requests == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.arange(19) % 10, "20 images and 19 labels"), (np.arange(20), "labels from 0 to 19, expected 0 to 9")],
)
def test_labels_that_do_not_fit_are_refused(
    labels: np.ndarray, message: str, publish: Any, mirror: Any, idx: Any, tmp_path: Path
) -> None:
    publish("kmnist")
    prepare("kmnist", tmp_path, mirrors=[mirror.url])
    (tmp_path / "KMNIST" / "raw" / "train-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    with pytest.raises(DataError, match=message):
        load("kmnist", "train", tmp_path)


def test_the_checksum_follows_the_training_bytes_only(publish: Any, mirror: Any, tmp_path: Path) -> None:
    publish("kmnist")
    prepare("kmnist", tmp_path, mirrors=[mirror.url])
    raw, before = tmp_path / "KMNIST" / "raw", checksum("kmnist", tmp_path)
    for file, changes in (("t10k-images-idx3-ubyte", False), ("train-images-idx3-ubyte", True)):
        content = (raw / file).read_bytes()
        (raw / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert (checksum("kmnist", tmp_path) != before) == changes
    assert len(before) == 16


def test_a_folder_of_pictures_is_a_data_set(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("no", "yes"):
        (tmp_path / name).mkdir()
        for index in range(5):
            Image.linear_gradient("L").resize((30 + index, 40)).save(tmp_path / name / f"{index}.png")
    prepare("folder", tmp_path)
    assert datasets.class_names("folder", tmp_path) == ("no", "yes")
    assert load("folder", "train", tmp_path).images.shape == (8, 1, 28, 28)
    assert load("folder", "test", tmp_path).labels.tolist() == [0, 1]
    before = checksum("folder", tmp_path)
    (tmp_path / "no").rename(tmp_path / "never")
    assert checksum("folder", tmp_path) != before, "a picture's folder is its label"


def test_the_bundled_digits_are_split_the_same_way_every_time() -> None:
    sheet = DATASETS["digits"]
    prepare("digits", "/nowhere")
    train, test = load("digits", "train"), load("digits", "test")
    check(train, sheet, sheet.train_size)
    check(test, sheet, sheet.test_size)
    assert torch.equal(load("digits", "train").images, train.images)
    shares = test.labels.bincount() / (train.labels.bincount() + test.labels.bincount())
    assert (shares - 0.2).abs().max() < 0.005
    assert checksum("digits") == checksum("digits")


def statistics(split: Split) -> tuple[float, float]:
    pixels = split.images.double() / 255
    return float(pixels.mean()), float(pixels.std(correction=0))


def test_the_sheet_of_digits_holds_what_is_measured() -> None:
    sheet = DATASETS["digits"]
    assert statistics(load("digits", "train")) == pytest.approx((sheet.mean, sheet.std), abs=5e-5)


@pytest.mark.mnist
@pytest.mark.filterwarnings("ignore:.*re-assembled copy")
def test_the_sheet_of_mnist_holds_what_is_measured_and_nothing_is_written() -> None:
    sheet = DATASETS["mnist"]
    before = {path: path.stat().st_mtime_ns for path in (REAL / "MNIST").rglob("*")}
    prepare("mnist", mirrors=[NOWHERE])
    train = load("mnist", "train")
    check(train, sheet, sheet.train_size)
    check(load("mnist", "test"), sheet, sheet.test_size)
    assert statistics(train) == pytest.approx((sheet.mean, sheet.std), abs=5e-5)
    assert {path: path.stat().st_mtime_ns for path in (REAL / "MNIST").rglob("*")} == before


@pytest.mark.mnist
@pytest.mark.filterwarnings("ignore:.*re-assembled copy")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:5000], "10,008"),
        (lambda content: content[:8] + bytes(10_000), "has MD5"),
        (lambda content: b"\x1f\x8b" + content[2:], "wrong header"),
    ],
    ids=["cut off", "zeroed labels", "another format"],
)
def test_real_files_broken_in_real_ways_are_named(
    damage: Callable[[bytes], bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PAUSE", 0.0)
    raw, bad = tmp_path / "MNIST" / "raw", "t10k-labels-idx1-ubyte"
    raw.mkdir(parents=True)
    for path in (REAL / "MNIST" / "raw").iterdir():
        (raw / path.name).symlink_to(path)
    content = (raw / bad).read_bytes()
    (raw / bad).unlink()
    (raw / bad).write_bytes(damage(content))
    with pytest.raises(DataError, match=message) as error:
        prepare("mnist", tmp_path, mirrors=[NOWHERE])
    assert str(raw / bad) in str(error.value)


@pytest.mark.parametrize("name", DATASETS)
def test_every_sheet_has_its_yaml_and_every_fact_its_origin(name: str) -> None:
    sheet, text = DATASETS[name], (CONF / f"{name}.yaml").read_text()
    assert sheet.name == name
    assert yaml.safe_load(text)["dataset"] == name
    assert (sheet.mean is None) == (sheet.std is None) == ("when they are loaded" in sheet.statistics)
    assert all((sheet.title, sheet.source, sheet.licence))
    assert name == "folder" or len(set(sheet.class_names)) == len(sheet.class_names) >= 10
    for size in (sheet.train_size, sheet.test_size):
        assert size is None or name == "mnist" or f"{size:,}" in text


@pytest.mark.parametrize(("name", "hint"), [("kmist", "did you mean kmnist?"), ("42", "there are mnist, digits")])
def test_an_unknown_name_gets_a_hint(name: str, hint: str) -> None:
    for call in (prepare, datasets.class_names, checksum):
        with pytest.raises(UsageError) as error:
            call(name)
        assert hint in str(error.value)


def test_a_folder_must_be_given() -> None:
    with pytest.raises(UsageError, match="no folder was given"):
        prepare("folder")


def test_the_root_is_the_argument_else_the_variable_else_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITREC_DATA_DIR", "/elsewhere")
    assert datasets.data_root("/here") == Path("/here")
    assert datasets.data_root("~/data") == Path.home() / "data"
    assert datasets.data_root(None) == Path("/elsewhere")
    monkeypatch.delenv("DIGITREC_DATA_DIR")
    assert datasets.data_root(None).name == "digitrec"


def test_the_datamodule_takes_the_name_of_every_data_set() -> None:
    assert get_args(datamodule.Name) == tuple(DATASETS)
