"""What is on the disk is whole, or noticed not to be."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest
import torch

from digitrec.errors import CheckpointError
from digitrec.models import checkpoint_file
from digitrec.models.checkpoint_file import COMMENT, read_checkpoint, read_content, write_checkpoint

CONTENT = {"weights": torch.arange(1000.0), "nested": {"list": [1, 2.5, "ü"], "none": None}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.ckpt"
    write_checkpoint(CONTENT, path)
    return path


def test_what_is_written_is_read(file: Path) -> None:
    content = read_checkpoint(file)
    assert torch.equal(content["weights"], torch.arange(1000.0))
    assert content["nested"] == CONTENT["nested"]
    assert [path.name for path in file.parent.iterdir()] == ["last.ckpt"]


def test_other_programs_read_it_as_they_are(file: Path) -> None:
    assert torch.load(file, weights_only=True)["nested"] == CONTENT["nested"]
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None


def test_a_file_of_torch_alone_is_read(tmp_path: Path) -> None:
    torch.save(CONTENT, tmp_path / "other.ckpt")
    assert read_checkpoint(tmp_path / "other.ckpt")["nested"] == CONTENT["nested"]


def test_every_changed_byte_is_noticed(file: Path) -> None:
    whole, draw = file.read_bytes(), random.Random(0)  # noqa: S311
    ends = [*range(30), *range(len(whole) - COMMENT - 30, len(whole))]
    for place in [*ends, *(draw.randrange(len(whole)) for _ in range(200))]:
        changed = bytearray(whole)
        changed[place] ^= 1 << draw.randrange(8)
        file.write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"last\.ckpt"):
            read_checkpoint(file)


def test_every_cut_is_noticed(file: Path) -> None:
    whole, draw = file.read_bytes(), random.Random(1)  # noqa: S311
    for length in [0, 1, len(whole) - COMMENT, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(20))]:
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"last\.ckpt"):
            read_checkpoint(file)


def test_a_file_that_would_become_larger_than_it_is_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(10_000_000)}, tmp_path / "plain.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "plain.ckpt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for part in plain.namelist():
            bomb.writestr(part, plain.read(part))
    assert (tmp_path / "bomb.ckpt").stat().st_size < 100_000
    assert torch.load(tmp_path / "bomb.ckpt", weights_only=True)["weights"].numel() == 10_000_000
    with pytest.raises(CheckpointError, match=r"bomb\.ckpt: holds more than its size"):
        read_checkpoint(tmp_path / "bomb.ckpt")


def nested(depth: int) -> list[object]:
    """2 to the power of `depth` values in a file of few bytes."""
    values: list[object] = [1]
    for _ in range(depth):
        values = [values, values]
    return values


def oneself() -> list[object]:
    values: list[object] = []
    values.append(values)
    return values


@pytest.mark.parametrize("values", [nested(40), oneself()], ids=["nested", "itself"])
def test_lists_without_end_are_refused(tmp_path: Path, values: list[object]) -> None:
    torch.save({"digitrec": values}, tmp_path / "alias.ckpt")
    with pytest.raises(CheckpointError, match=r"alias\.ckpt: holds more than 1,000,000 values"):
        read_checkpoint(tmp_path / "alias.ckpt")


def test_an_archive_of_too_many_parts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "MOST_PARTS", 100)
    file = tmp_path / "many.ckpt"
    torch.save(CONTENT, file)
    with zipfile.ZipFile(file, "a") as archive:
        for number in range(100):
            archive.writestr(f"many/data/{number + 10}", b"")
    with pytest.raises(CheckpointError, match=r"many\.ckpt: holds 10\d tensors, 100 at most"):
        read_checkpoint(file)


BROKEN_ENTRIES: dict[str, tuple[int, bytes]] = {  # offset in an entry of the central directory
    "a version of zip that there is not": (6, b"\xff\xff"),
    "a name that is no text": (46, b"\xff\xfe"),
}


@pytest.mark.parametrize("fault", BROKEN_ENTRIES)
def test_an_archive_that_zipfile_refuses_is_not_given_to_torch(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "odd.ckpt"
    torch.save(CONTENT, file)
    content, (offset, junk) = bytearray(file.read_bytes()), BROKEN_ENTRIES[fault]
    entry = content.index(b"PK\x01\x02")
    content[entry + 9] |= 0x08  # the name is UTF-8
    content[entry + offset : entry + offset + len(junk)] = junk
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"odd\.ckpt: damaged"):
        read_checkpoint(file)


def test_a_file_larger_than_any_checkpoint_is_not_read(tmp_path: Path) -> None:
    for name in ("vast.ckpt", "vast.safetensors"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(40 * 2**30)  # takes no room on the disk
        with pytest.raises(CheckpointError, match="larger than"):
            read_content(tmp_path / name)


SAVE = """
    import sys, torch
    from pathlib import Path
    from digitrec.models.checkpoint_file import write_checkpoint
    file, step = Path(sys.argv[1]), 0
    while True:
        step += 1
        write_checkpoint({"step": step, "weights": torch.full((200_000,), float(step))}, file)
        print(step, flush=True)
"""


@pytest.mark.parametrize(
    "kills",
    [
        1,
        pytest.param(10, marks=pytest.mark.slow),
        pytest.param(100, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)]),
    ],
)
def test_a_kill_within_a_save_leaves_a_whole_file_behind(tmp_path: Path, kills: int) -> None:
    """TMPDIR lies on another file system, where a rename would not be atomic."""
    file, draw = tmp_path / "last.ckpt", random.Random(kills)  # noqa: S311
    elsewhere = {"TMPDIR": "/dev/shm"} if Path("/dev/shm").is_dir() else {}  # noqa: S108
    for _ in range(kills):
        command = [sys.executable, "-c", textwrap.dedent(SAVE), str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | elsewhere) as process:
            assert process.stdout is not None
            saved = int(process.stdout.readline())
            time.sleep(draw.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            saved = int([str(saved), *process.stdout.read().split()][-1])
        content = read_checkpoint(file)
        assert content["step"] >= saved
        assert torch.equal(content["weights"], torch.full((200_000,), float(content["step"])))


FULL = """
    import resource, signal, sys, torch
    from pathlib import Path
    from digitrec.errors import CheckpointError
    from digitrec.models.checkpoint_file import write_checkpoint
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        write_checkpoint({"weights": torch.zeros(100_000)}, Path(sys.argv[1]))
    except CheckpointError as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX'")
def test_where_nothing_more_can_be_written_the_file_before_stays(file: Path) -> None:
    before = file.read_bytes()
    command = [sys.executable, "-c", textwrap.dedent(FULL), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{file} cannot be written: File too large; the one before is as it was\n"
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["last.ckpt"]
