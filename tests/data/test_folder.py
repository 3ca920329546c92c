import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from digitrec.data import datasets, folder
from digitrec.errors import DataError, UsageError
from tests.command import run_command


def seven(size: int = 90, pen: int = 9) -> Image.Image:
    """Dark ink on white paper, off-centre."""
    picture = Image.new("L", (size * 2, size), 255)
    points = [(size // 3, size // 4), (size, size // 4), (size // 2, size * 3 // 4)]
    ImageDraw.Draw(picture).line(points, fill=20, width=pen)
    return picture


def fill(root: Path, classes: dict[str, int]) -> Path:
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            seven(60 + index).save(root / name / f"{index:03}.png")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "pictures", {"one": 5, "seven": 10, "two": 7})


def read(picture: Image.Image, path: Path, **options: Any) -> Tensor:
    """Save a picture beside another class and load it as a training image."""
    for split in ("train", "test"):
        for name in ("a", "b"):
            (path.parent / split / name).mkdir(parents=True)
            picture.save(path.parent / split / name / path.name, **options)
    return folder.load(path.parent, "train")[0][0]


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().mean())


def test_classes_are_the_sorted_sub_folders(root: Path) -> None:
    assert folder.class_names(root) == ("one", "seven", "two")


def test_a_fifth_of_each_class_is_for_testing(root: Path) -> None:
    train, test = (folder.pictures(root, split) for split in ("train", "test"))
    assert np.bincount([label for _, label in test]).tolist() == [1, 2, 1]
    assert np.bincount([label for _, label in train]).tolist() == [4, 8, 6]
    assert {path for path, _ in train + test} == set(root.glob("*/*.png"))
    assert folder.pictures(root, "test") == test


def test_the_choice_is_a_pure_function_of_the_names() -> None:
    names = [f"{index}.png" for index in range(50)]
    assert folder.held_out(names) == folder.held_out(reversed(names))
    assert len(folder.held_out(names)) == 10
    assert len(folder.held_out(names[:2])) == 1


def test_names_may_be_any_bytes(root: Path) -> None:
    """As disks of other times have them: no UTF-8."""
    plain = datasets.checksum("folder", root)
    for name in (b"caf\xe9.png", b"\xff\xfe.png"):
        shutil.copy(root / "two" / "000.png", root / "two" / os.fsdecode(name))
    assert len(folder.pictures(root, "train") + folder.pictures(root, "test")) == 24
    assert len(folder.load(root, "test")[1]) == 5
    assert datasets.checksum("folder", root) != plain


def test_given_splits_are_kept(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"0": 3, "1": 1})
    fill(tmp_path / "test", {"0": 1, "1": 2})
    images, labels = folder.load(tmp_path, "train")
    assert labels.tolist() == [0, 0, 0, 1]
    assert images.shape == (4, 28, 28)
    assert folder.load(tmp_path, "test")[1].tolist() == [0, 1, 1]


def test_numbers_in_class_names_are_sorted_by_value(tmp_path: Path) -> None:
    for names in (("0", "1", "2", "10", "11"), ("7", "a", "b9", "b10")):
        root = fill(tmp_path / names[0], dict.fromkeys(reversed(names), 2))
        assert folder.class_names(root) == names


@pytest.mark.parametrize(
    "names", [("train", "valid", "test"), ("training", "validation", "testing"), ("Train", "Val", "Test")]
)
def test_a_folder_for_validation_is_used(names: tuple[str, str, str], tmp_path: Path) -> None:
    for number, name in enumerate(names):
        fill(tmp_path / name, {"0": 1 + number, "1": 1})
    assert folder.has_validation(tmp_path)
    assert not folder.is_parted(tmp_path)
    counts = [len(folder.pictures(tmp_path, split)) for split in ("train", "val", "test")]
    assert counts == [2, 3, 4]


def test_without_a_folder_for_testing_a_fifth_of_the_training_pictures_is(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"0": 10, "1": 10})
    fill(tmp_path / "val", {"0": 1, "1": 1})
    assert folder.is_parted(tmp_path)
    assert [len(folder.pictures(tmp_path, split)) for split in ("train", "val", "test")] == [16, 2, 4]


def test_two_folders_for_one_split_and_none_for_training_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "val", {"0": 1, "1": 1})
    with pytest.raises(UsageError, match="has val only"):
        folder.pictures(tmp_path, "train")
    fill(tmp_path / "valid", {"0": 1, "1": 1})
    with pytest.raises(UsageError, match="has val and valid, expected one"):
        folder.class_names(tmp_path)


def test_the_same_picture_in_training_and_testing_is_warned_of(tmp_path: Path) -> None:
    for split, size in (("train", 60), ("val", 80), ("test", 90)):
        for number, name in enumerate(("0", "1")):
            (tmp_path / split / name).mkdir(parents=True)
            seven(size + number).save(tmp_path / split / name / "a.png")
    folder.check(tmp_path)
    shutil.copy(tmp_path / "train" / "1" / "a.png", tmp_path / "test" / "1" / "b.png")
    with pytest.warns(
        UserWarning, match=r"1 of 3 test pictures are training pictures, too, e\.g\. .*b\.png and .*a\.png"
    ):
        folder.check(tmp_path)


def strokes(*lines: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.new("L", (160, 100), 255)
    for line in lines:
        ImageDraw.Draw(picture).line(line, 0, 8)
    return picture


def test_of_classes_that_are_no_single_digits_all_ink_is_learnt(tmp_path: Path) -> None:
    one, bars = (30, 20, 30, 80), [(80, 20, 120, 20), (120, 20, 120, 80), (120, 80, 80, 80), (80, 80, 80, 20)]
    for name, picture in {"1": strokes(one), "10": strokes(one, *bars)}.items():
        (tmp_path / name).mkdir()
        for number in range(2):
            picture.crop((0, 0, 150 + number, 100)).save(tmp_path / name / f"{number}.png")
    images, labels = folder.load(tmp_path, "train")
    widths = [int(np.ptp(np.flatnonzero(image.any(dim=0)))) + 1 for image in images]
    assert labels.tolist() == [0, 1]
    assert widths[0] < 6
    assert widths[1] == 20


def test_further_digits_that_are_left_out_are_reported_with_an_example(tmp_path: Path) -> None:
    fill(tmp_path, {"1": 3, "7": 3})
    for file in (tmp_path / "1").iterdir():
        strokes((30, 20, 30, 80), (110, 20, 110, 80), (150, 15, 150, 80)).save(file)
    with pytest.warns(UserWarning, match=r"2 of 4 train pictures are read only in part; e\.g\. .*1.00\d\.png: 3 marks"):
        folder.load(tmp_path, "train")


def test_blank_pictures_are_left_out_and_a_class_of_them_is_named(root: Path) -> None:
    blank = Image.new("L", (60, 60), 255)
    train = [path for path, label in folder.pictures(root, "train") if label == 1]
    blank.save(train[0])
    with pytest.warns(
        UserWarning, match=r"1 of 18 train pictures are left out: no ink was found on them; e\.g\. .*seven"
    ):
        labels = folder.load(root, "train")[1]
    assert labels.bincount().tolist() == [4, 7, 6]
    for path in train:
        blank.save(path)
    with pytest.warns(UserWarning, match="8 of 18"), pytest.raises(DataError, match="shows anything of class seven"):
        folder.load(root, "train")


def test_damaged_pictures_are_left_out_where_asked_for(root: Path) -> None:
    train = [path for path, label in folder.pictures(root, "train") if label == 2]
    train[0].write_bytes(b"my notes")
    train[1].write_bytes(train[1].read_bytes()[:60])
    with pytest.raises(DataError, match="cannot be read as a picture"):
        datasets.prepare("folder", root)
    datasets.prepare("folder", root, skip_damaged=True)
    with pytest.warns(
        UserWarning, match=r"2 of 18 train pictures are left out: they can't be read; e\.g\. .*cannot be read"
    ):
        split = datasets.load("folder", "train", root, skip_damaged=True)
    assert split.labels.bincount().tolist() == [4, 8, 4]
    assert datasets.checksum("folder", root)


def test_what_file_managers_leave_behind_is_ignored(root: Path) -> None:
    before = folder.pictures(root, "train")
    (root / "__MACOSX" / "one").mkdir(parents=True)
    (root / ".git").mkdir()
    names = (
        ".DS_Store",
        "one/.DS_Store",
        "one/Thumbs.db",
        "one/Icon\r",
        "Icon\r",
        "__MACOSX/one/._000.png",
        "README.txt",
    )
    for name in names:
        (root / name).write_bytes(b"\0")
    assert folder.pictures(root, "train") == before
    folder.check(root)


MODES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "bilevel": lambda picture: picture.convert("1", dither=Image.Dither.NONE),
    "colour": lambda picture: picture.convert("RGB"),
    "palette": lambda picture: picture.convert("RGB").quantize(16),
    "grey with alpha": lambda picture: picture.convert("LA"),
    "opaque": lambda picture: picture.convert("RGBA"),
    "transparent paper": lambda picture: Image.merge(
        "RGBA", [Image.new("L", picture.size)] * 3 + [picture.point(lambda value: 255 - value)]
    ),
    "16 bits": lambda picture: Image.fromarray(np.asarray(picture).astype(np.uint16) * 257),
    "negative": lambda picture: picture.point(lambda value: 255 - value),
    "grey paper": lambda picture: picture.point(lambda value: value // 2 + 60),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_picture_shows_the_same_digit(mode: str, tmp_path: Path) -> None:
    plain = read(seven(), tmp_path / "plain" / "picture.png")
    other = read(MODES[mode](seven()), tmp_path / "other" / "picture.png")
    assert torch.equal(other > 0, plain > 0)
    assert torch.allclose(other / other.max(), plain / plain.max(), atol=0.02)


def test_a_jpeg_on_uneven_paper_is_close_to_the_drawing(tmp_path: Path) -> None:
    plain = read(seven(), tmp_path / "plain" / "picture.png")
    noise = np.random.default_rng(0).normal(0, 2, (90, 180))
    noisy = Image.fromarray((np.asarray(seven()) * 0.9 + 10 + noise).clip(0, 255).astype(np.uint8))
    photo = read(noisy, tmp_path / "photo" / "picture.jpg", quality=70)
    assert distance(photo, plain) < 0.15 * distance(plain, torch.zeros(28, 28))


def test_the_cameras_rotation_is_undone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    turned = seven().transpose(Image.Transpose.ROTATE_90)
    upright = read(seven(), tmp_path / "upright" / "picture.png")
    assert torch.equal(read(turned, tmp_path / "turned" / "picture.png", exif=exif), upright)


def png(width: int, height: int) -> bytes:
    """Return the head of a PNG that claims a size; its pixels are missing."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0"))]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"my notes", "no known image format"), (png(12_000, 12_000), "bomb")],
    ids=["empty", "text", "decompression bomb"],
)
def test_a_file_that_is_no_picture_is_named_before_training(content: bytes, message: str, root: Path) -> None:
    bad = root / "two" / "notes.png"
    bad.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        folder.check(root)
    assert str(bad) in str(error.value)
    assert str(error.value).count("\n") == 1


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "tiff"])
def test_a_picture_cut_off_half_way_is_named(kind: str, root: Path) -> None:
    bad = root / "two" / f"half.{kind}"
    Image.effect_noise((200, 200), 80).save(bad)
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    split = "test" if bad.name in folder.held_out(path.name for path in bad.parent.iterdir()) else "train"
    with pytest.raises(DataError, match=f"half.{kind} cannot be read"):
        folder.load(root, split)


ENTRIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (lambda path: path.mkdir(), r"strange\.png is a folder"),
    "a pipe": (lambda path: os.mkfifo(path), r"strange\.png is no file"),
    "a link to nowhere": (lambda path: path.symlink_to("gone.png"), r"strange\.png is no file"),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_no_file_in_a_class_is_named_and_not_waited_for(entry: str, root: Path) -> None:
    make, message = ENTRIES[entry]
    make(root / "one" / "strange.png")
    with pytest.raises(DataError, match=message):
        folder.check(root)


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_too_small_to_split_is_named(count: int, root: Path) -> None:
    fill(root, {"zero": count})
    with pytest.raises(DataError, match=f"zero has {count} pictures?, expected at least 2"):
        folder.check(root)


def test_an_empty_class_of_a_given_split_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"0": 1, "1": 1})
    fill(tmp_path / "test", {"0": 1, "1": 0})
    with pytest.raises(DataError, match="1 has 0 pictures, expected at least 1"):
        folder.check(tmp_path)


def test_splits_with_different_classes_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"0": 1, "1": 1})
    fill(tmp_path / "test", {"0": 1})
    with pytest.raises(UsageError, match="class '1' in only one"):
        folder.class_names(tmp_path)


@pytest.mark.parametrize("classes", [{}, {"one": 3}])
def test_fewer_than_two_classes_are_refused(classes: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"has {len(classes)} sub-folders?,"):
        folder.class_names(fill(tmp_path, classes))


def test_a_root_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder"):
        folder.class_names(tmp_path / "nowhere")


def test_all_files_that_are_no_pictures_are_named_at_once_before_torch(root: Path) -> None:
    (root / "one" / "notes.txt").write_text("seen by Anna")
    (root / "one" / "._000.png").write_bytes(b"left by an archive")
    (root / "seven" / "broken.png").write_bytes(b"")
    code = "import sys; from digitrec import train; import atexit; "
    code += "atexit.register(lambda: print('torch' in sys.modules)); train.main()"
    outcome = run_command(sys.executable, "-c", code, "data=folder", f"data.root={root}", cwd=root.parent)
    assert outcome.code == 2
    assert "2 of 24 files" in outcome.err
    assert "notes.txt" in outcome.err
    assert "broken.png" in outcome.err
    assert outcome.out.split() == ["False"]
    assert not list(root.parent.glob("outputs/*/*"))
