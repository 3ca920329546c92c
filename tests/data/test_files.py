import hashlib
import io
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from digitrec.data import files
from digitrec.data.files import Archive, ensure, verify
from digitrec.errors import DataError
from tests.waiting import wait_for

NAME = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"
NOWHERE = "http://127.0.0.1:9/"  # the discard port: nothing listens there
ENSURE = """
import sys
from pathlib import Path
from digitrec.data.files import Archive, ensure
folder, url, name, md5 = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
ensure(Path(folder), [Archive(name + ".gz", md5, [url], {name: None})], [name])
"""


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSE", 0.0)
    files._warn_variant.cache_clear()


@pytest.fixture
def content(idx: Any) -> bytes:
    pixels: bytes = idx(np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8))
    return pixels


@pytest.fixture
def archive(mirror: Any, gz: Any, content: bytes) -> Archive:
    packed = gz(content)
    mirror.files[f"{NAME}.gz"] = packed
    return Archive(f"{NAME}.gz", md5(packed), [mirror.url], {NAME: None})


def fetch(folder: Path, archive: Archive, mirrors: list[str] | None = None) -> None:
    ensure(folder, [archive], [NAME], mirrors=mirrors)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_file_is_fetched_only_once(tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    folder = tmp_path / "new" / "raw"
    fetch(folder, archive)
    assert (folder / NAME).read_bytes() == content
    before = listing(folder)
    assert set(before) <= {NAME, files.SUMS, ".lock"}
    fetch(folder, archive)
    assert mirror.requests == [f"{NAME}.gz"]
    assert listing(folder) == before


def test_the_noted_digests_are_what_md5sum_reads(tmp_path: Path, archive: Archive, content: bytes) -> None:
    fetch(tmp_path, archive)
    assert (tmp_path / files.SUMS).read_text() == f"{md5(content)}  {NAME}\n"


FAULTS = {
    "404": "HTTP 404", "503": "HTTP 503", "dropped": "ChunkedEncodingError", "truncated": "expected",
    "wrong": "expected",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_passing_faults_are_retried(fault: str, tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    mirror.faults = [fault, fault]
    fetch(tmp_path, archive)
    assert (tmp_path / NAME).read_bytes() == content
    assert len(mirror.requests) == 3


@pytest.mark.parametrize(("fault", "reason"), FAULTS.items())
def test_a_lasting_fault_names_file_address_and_reason_and_leaves_nothing(
    fault: str, reason: str, tmp_path: Path, mirror: Any, archive: Archive
) -> None:
    mirror.faults = [fault] * files.ROUNDS
    with pytest.raises(DataError) as error:
        fetch(tmp_path, archive)
    message = str(error.value)
    parts = (f"{tmp_path / NAME} is missing", f"{mirror.url}{NAME}.gz", reason, "data=digits needs no network")
    assert all(part in message for part in parts), message
    assert message.count("\n") <= 1
    assert set(listing(tmp_path)) <= {".lock"}


def test_mirrors_are_tried_in_turn(tmp_path: Path, mirror: Any, archive: Archive) -> None:
    fetch(tmp_path, archive, mirrors=[NOWHERE, mirror.url + "elsewhere", mirror.url])
    assert mirror.requests == [f"elsewhere/{NAME}.gz", f"{NAME}.gz"]


def test_given_mirrors_replace_the_published_ones(tmp_path: Path, mirror: Any, archive: Archive) -> None:
    with pytest.raises(DataError, match=NOWHERE):
        fetch(tmp_path, archive, mirrors=[NOWHERE])
    assert mirror.requests == []


def test_a_silent_server_times_out(
    tmp_path: Path, mirror: Any, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "TIMEOUT", (5.0, 0.2))
    mirror.faults = ["stalled"]
    fetch(tmp_path, archive)
    assert len(mirror.requests) == 2


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "is truncated: 0 bytes"),
    "cut off": (lambda content: content[:-1], "its header says 31,376"),
    "too long": (lambda content: content + b"\0", "its header says 31,376"),
    "a web page": (lambda content: b"<!DOCTYPE html>" + content[15:], "wrong header: 0x3c21444f"),
    "labels": (lambda content: b"\0\0\x08\x01" + content[4:], "wrong header: 0x00000801, expected 0x00000803"),
    "one bit": (lambda content: content[:999] + bytes([content[999] ^ 1]) + content[1000:], "has MD5"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_replaced(damage: str, tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    fetch(tmp_path, archive)
    (tmp_path / NAME).write_bytes(DAMAGES[damage][0](content))
    fetch(tmp_path, archive)
    assert (tmp_path / NAME).read_bytes() == content
    assert len(mirror.requests) == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_irreplaceable_damaged_file_is_named_and_kept(
    damage: str, tmp_path: Path, archive: Archive, content: bytes
) -> None:
    fetch(tmp_path, archive)
    spoil, reason = DAMAGES[damage]
    (tmp_path / NAME).write_bytes(spoil(content))
    with pytest.raises(DataError) as error:
        fetch(tmp_path, archive, mirrors=[NOWHERE])
    assert str(error.value).startswith(str(tmp_path / NAME))
    assert reason in str(error.value)
    assert (tmp_path / NAME).read_bytes() == spoil(content)


def test_without_a_digest_the_structure_decides(tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    fetch(tmp_path, archive)
    assert mirror.requests == []
    (tmp_path / NAME).write_bytes(content[:-1])
    fetch(tmp_path, archive)
    assert mirror.requests == [f"{NAME}.gz"]


def test_a_published_digest_counts_at_once(tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    published = Archive(archive.name, archive.md5, archive.mirrors, {NAME: md5(content)})
    (tmp_path / NAME).write_bytes(content[:-1] + b"?")
    fetch(tmp_path, published)
    assert (tmp_path / NAME).read_bytes() == content
    assert not (tmp_path / files.SUMS).exists()


def test_an_archive_with_a_bad_file_inside_is_refused(tmp_path: Path, mirror: Any, gz: Any, content: bytes) -> None:
    packed = gz(content[:-1])
    mirror.files[f"{NAME}.gz"] = packed
    with pytest.raises(DataError, match=f"{NAME} has 31,375 bytes"):
        ensure(tmp_path, [Archive(f"{NAME}.gz", md5(packed), [mirror.url], {NAME: None})], [NAME])
    assert set(listing(tmp_path)) <= {".lock"}


def test_the_known_variant_is_accepted_with_one_warning(
    tmp_path: Path, archive: Archive, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "VARIANTS", {md5(content): "0" * 32})
    (tmp_path / NAME).write_bytes(content)
    published = Archive(archive.name, archive.md5, [NOWHERE], {NAME: "0" * 32})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            fetch(tmp_path, published)
    assert [str(warning.message) for warning in caught if NAME in str(warning.message)] == [
        f"{tmp_path / NAME} is a re-assembled copy: its pixels of value 1 read 0, everything else is as published."
    ]
    with pytest.raises(DataError, match="has MD5"):
        ensure(tmp_path, [Archive(archive.name, archive.md5, [NOWHERE], {NAME: "1" * 32})], [NAME])


def test_a_zip_gives_the_files_it_is_asked_for(tmp_path: Path, mirror: Any, gz: Any, idx: Any, content: bytes) -> None:
    labels = idx(np.arange(10, dtype=np.uint8))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, inner in ((NAME, content), (LABELS, labels), ("other-labels-idx1-ubyte", labels)):
            packed.writestr(f"gzip/{name}.gz", gz(inner))
        packed.writestr("gzip/mapping.txt", "0 48\n")
    mirror.files["gzip.zip"] = buffer.getvalue()
    archive = Archive("gzip.zip", md5(buffer.getvalue()), [mirror.url], {NAME: None, LABELS: None})
    fetch(tmp_path, archive)
    assert (tmp_path / NAME).read_bytes() == content
    assert (tmp_path / LABELS).read_bytes() == labels
    assert set(listing(tmp_path)) <= {NAME, LABELS, files.SUMS, ".lock"}


def test_a_sound_read_only_folder_is_only_read(tmp_path: Path, archive: Archive, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    tmp_path.chmod(0o555)
    before = listing(tmp_path)
    fetch(tmp_path, archive)
    assert listing(tmp_path) == before


def test_a_read_only_folder_with_a_file_missing_is_named_and_not_written(tmp_path: Path, archive: Archive) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(DataError, match=f"{NAME} is missing, and {tmp_path} cannot be written"):
        fetch(tmp_path, archive)
    assert listing(tmp_path) == {}


def test_a_root_that_is_a_file_is_named(tmp_path: Path, archive: Archive) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        ensure(tmp_path / "file" / "raw", [archive], [NAME])


def test_verify_names_a_missing_file_and_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{NAME} is missing"):
        verify(tmp_path / NAME)
    (tmp_path / NAME).mkdir()
    with pytest.raises(DataError, match=f"{NAME} cannot be read"):
        verify(tmp_path / NAME)


def start(count: int, folder: Path, archive: Archive) -> list[subprocess.Popen[str]]:
    """Processes that begin to fetch at the same time, once each has imported what it needs."""
    command = [sys.executable, "-c", ENSURE, str(folder), archive.mirrors[0], NAME, archive.md5]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(count)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def assert_all_succeed(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors


def test_processes_share_one_download(tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    mirror.delay = 0.3
    assert_all_succeed(start(5, tmp_path / "raw", archive))
    assert (tmp_path / "raw" / NAME).read_bytes() == content
    assert mirror.requests == [f"{NAME}.gz"]


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=[pytest.mark.campaign, pytest.mark.timeout(1800)])])
def test_eight_processes_and_a_bad_server_end_with_sound_files(
    rounds: int, tmp_path: Path, mirror: Any, archive: Archive, content: bytes
) -> None:
    draw = random.Random(rounds)  # noqa: S311
    mirror.delay = 0.05
    in_a_row = 0

    def fault() -> str | None:
        nonlocal in_a_row
        drawn = draw.choice([None] * 5 + list(FAULTS))
        in_a_row = in_a_row + 1 if drawn and in_a_row < files.ROUNDS - 1 else 0
        return drawn if in_a_row else None

    mirror.draw = fault
    for turn in range(rounds):
        folder = tmp_path / f"{turn}"
        assert_all_succeed(start(8, folder, archive))
        assert (folder / NAME).read_bytes() == content
        assert set(listing(folder)) <= {NAME, files.SUMS, ".lock"}


def test_a_killed_download_leaves_no_trace(tmp_path: Path, mirror: Any, archive: Archive, content: bytes) -> None:
    mirror.faults = ["stalled"]
    (process,) = start(1, tmp_path, archive)
    assert mirror.stalled.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert (tmp_path / files.PARTIAL).exists()
    assert not (tmp_path / NAME).exists()
    fetch(tmp_path, archive)
    assert (tmp_path / NAME).read_bytes() == content
    assert set(listing(tmp_path)) <= {NAME, files.SUMS, ".lock"}


def test_waiting_for_a_process_is_logged(tmp_path: Path, archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    waiting = threading.Thread(target=ensure, args=(tmp_path, [archive], [NAME]))
    with FileLock(tmp_path / ".lock"):
        waiting.start()
        wait_for(lambda: "Waiting" in caplog.text, 30)
    waiting.join(60)
    assert f"Waiting for another process that is fetching files into {tmp_path}" in caplog.text
    assert (tmp_path / NAME).exists()


def test_an_archive_that_stays_packed_is_checked_like_any_file(tmp_path: Path, mirror: Any) -> None:
    content = b"BZh9 lines"
    mirror.files["lines.bz2"] = content
    archive = Archive("lines.bz2", md5(content), [mirror.url], {"lines.bz2": md5(content)})
    ensure(tmp_path, [archive], ["lines.bz2"])
    (tmp_path / "lines.bz2").write_bytes(content[::-1])
    ensure(tmp_path, [archive], ["lines.bz2"])
    assert (tmp_path / "lines.bz2").read_bytes() == content
    assert len(mirror.requests) == 2


def test_a_garbled_note_of_digests_does_no_harm(tmp_path: Path, archive: Archive, content: bytes) -> None:
    fetch(tmp_path, archive)
    (tmp_path / files.SUMS).write_bytes(b"\xff\xfe\0 no digests\n\n")
    fetch(tmp_path, archive)
    assert (tmp_path / NAME).read_bytes() == content
