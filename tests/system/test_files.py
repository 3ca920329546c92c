"""Files of other people are opened only if they are files; ours are written whole or not at all."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from digitrec.system.files import open_regular, read_bytes, read_text, write_text


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


STRANGE: dict[str, Callable[[Path], object]] = {
    "a pipe, expected a file": os.mkfifo,
    "Is a directory": Path.mkdir,
    "a device, expected a file": lambda path: path.symlink_to("/dev/zero"),
    "larger than 10 bytes": lambda path: path.write_bytes(b"0" * 11),
    "No such file or directory": lambda path: path.symlink_to("nowhere"),
    "No such device or address": bind,
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as files are POSIX'")
@pytest.mark.parametrize("reason", STRANGE)
def test_only_a_file_of_bounded_size_is_opened(reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may be short only
    path = Path("strange")
    STRANGE[reason](path)
    with pytest.raises(OSError, match=reason) as caught:
        open_regular(path, 10)
    assert caught.value.strerror == reason


def test_a_file_is_read_through_a_link_up_to_its_limit(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    write_text(file, "zehn Zeich")
    link.symlink_to(file)
    assert read_bytes(link, 10) == b"zehn Zeich"
    assert read_text(link) == "zehn Zeich"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_a_file_that_hides_its_size_has_the_same_limit() -> None:
    assert Path("/proc/self/status").stat().st_size == 0
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_bytes(Path("/proc/self/status"), 10)


def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
