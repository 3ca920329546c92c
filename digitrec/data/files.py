"""Files of a data set: fetched once, checked at every start, replaced atomically."""

import functools
import gzip
import hashlib
import logging
import math
import os
import re
import shutil
import struct
import sys
import time
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from filelock import FileLock, Timeout

from digitrec.errors import DataError

log = logging.getLogger(__name__)

ROUNDS = 6  # how often every mirror is tried
UNREACHED = 3  # the same while no mirror can be reached
PAUSE = 1.0  # seconds before the second round, twice that before the third, and so on
TIMEOUT = (10.0, 30.0)  # seconds to connect, and without a byte
SUMS = "digitrec.md5"  # digests of extracted files, as `md5sum --check` reads them
PARTIAL = ".partial"  # unfinished files, beside the finished ones so that moving them is atomic
_NEXT = "Next: check the network or data.mirrors, or copy the file there by hand; data=digits needs no network."
_Content = gzip.GzipFile | BinaryIO

# A re-assembled copy of MNIST's training images in which pixel value 1 reads 0, and what it stands for.
VARIANTS = {"2120c626b3f721358a650005d9261aaf": "6bbc9ace898e44ae57da46a324031adb"}


@dataclass(frozen=True)
class Archive:
    """A file as published: its MD5, the base URLs it lies under, and what to take out of it.

    ``files`` maps each file to be extracted to its published MD5, or to None where none is published.
    """

    name: str
    md5: str
    mirrors: Sequence[str]
    files: Mapping[str, str | None]


def ensure(
    folder: Path, archives: Sequence[Archive], needed: Collection[str], mirrors: Sequence[str] | None = None
) -> None:
    """Check the ``needed`` files of ``folder`` and fetch the archives of those that are missing or damaged.

    ``mirrors``: base URLs that replace the archives' own. Writes nothing when all is well. Any number of
    processes may call it at once. Raises DataError when a file is missing or damaged and cannot be replaced.
    """
    faults = _faults(folder, archives, needed)
    if not faults:
        return
    try:
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        if not nearest.stat().st_mode & 0o222:
            raise PermissionError("it is read-only")  # for root, too, who could write there
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            for archive in archives:
                # Again, under the lock: another process may have mended it while this one waited.
                if left := _faults(folder, [archive], needed):
                    _fetch(archive, folder, left[0], mirrors or archive.mirrors)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{faults[0]}, and {folder} cannot be written: {reason}.\n{_NEXT}") from error


def verify(path: Path, md5: str | None = None) -> None:
    """Raise DataError for a file that is missing, unlike the IDX type in its name, or of another MD5."""
    if fault := _fault(path, md5):
        raise DataError(f"{fault}.\n{_NEXT}")


def _faults(folder: Path, archives: Iterable[Archive], needed: Collection[str]) -> list[str]:
    recorded = _recorded(folder)
    wanted = [(name, md5) for archive in archives for name, md5 in archive.files.items() if name in needed]
    return [fault for name, md5 in wanted if (fault := _fault(folder / name, md5 or recorded.get(name)))]


def _fault(path: Path, md5: str | None) -> str | None:
    """What is wrong with a file, a sentence that begins with its path; None if nothing is."""
    try:
        found = _idx_fault(path) or (_md5_fault(path, md5) if md5 else None)
    except FileNotFoundError:
        found = "is missing"
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
    return f"{path} {found}" if found else None


def _idx_fault(path: Path) -> str | None:
    """Compare an IDX file's header with the type in its name, e.g. idx3-ubyte, and with its length."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not (kind := re.search(r"-idx(\d)-(ubyte|int)$", path.name)):
            return None
        dims = int(kind[1])
        code, width = (8, 1) if kind[2] == "ubyte" else (12, 4)
        file.seek(0)
        header = file.read(4 + 4 * dims)
    if len(header) < 4 + 4 * dims:
        return f"is truncated: {size} bytes"
    magic, *shape = struct.unpack(f">{1 + dims}I", header)
    if magic != code << 8 | dims:
        return f"has the wrong header: {magic:#010x}, expected {code << 8 | dims:#010x}"
    expected = len(header) + width * math.prod(shape)
    return None if size == expected else f"has {size:,} bytes, its header says {expected:,}"


def _md5_fault(path: Path, expected: str) -> str | None:
    found = md5sum(path)
    if VARIANTS.get(found) == expected:
        _warn_variant(path)
    elif found != expected:
        return f"has MD5 {found}, expected {expected}"
    return None


@functools.cache
def _warn_variant(path: Path) -> None:
    warnings.warn(
        f"{path} is a re-assembled copy: its pixels of value 1 read 0, everything else is as published.",
        stacklevel=2,
    )


def md5sum(path: Path) -> str:
    """MD5 of a file's bytes: 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        log.warning("Waiting for another process that is fetching files into %s", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(archive: Archive, folder: Path, fault: str, mirrors: Sequence[str]) -> None:
    """Download and unpack beside the finished files, check, and only then move into place; needs the lock."""
    partial = folder / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)  # a killed process may have left one
    partial.mkdir()
    try:
        packed = partial / archive.name
        _download(archive, packed, fault, mirrors)
        for name, content in _contents(packed):
            if name in archive.files:
                with (partial / name).open("wb") as file:
                    shutil.copyfileobj(content, file, 2**20)
        for name, md5 in archive.files.items():
            verify(partial / name, md5)
        sums = {name: md5sum(partial / name) for name, md5 in archive.files.items() if md5 is None}
        for name in archive.files:
            (partial / name).replace(folder / name)
        if sums:
            _record(folder, _recorded(folder) | sums)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


# pooch downloads one URL; it lacks mirrors, rounds that end early without a network, and the reason of each failure.
def _download(archive: Archive, target: Path, fault: str, mirrors: Sequence[str]) -> None:
    from requests import ConnectionError as Unreached
    from requests import RequestException

    failures = {}
    answered = False
    for attempt in range(ROUNDS):
        if attempt == UNREACHED and not answered:
            break
        time.sleep(attempt * PAUSE)
        for mirror in mirrors:
            url = f"{mirror.rstrip('/')}/{archive.name}"
            try:
                _get(url, target)
            except RequestException as error:
                failures[url] = _reason(error)
                answered |= not isinstance(error, Unreached)
            else:
                answered = True
                if (md5 := md5sum(target)) == archive.md5:
                    return
                failures[url] = f"MD5 {md5}, expected {archive.md5}"
            log.info("%s: %s", url, failures[url])
    tried = "; ".join(f"{url} ({reason})" for url, reason in failures.items())
    raise DataError(f"{fault}, and could not be fetched: {tried}.\n{_NEXT}")


def _get(url: str, target: Path) -> None:
    from pooch import HTTPDownloader

    log.info("Downloading %s", url)
    HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**16, timeout=TIMEOUT)(url, str(target), None)


def _reason(error: Exception) -> str:
    """A short reason for an exception of requests, whose own text runs over several lines."""
    from requests import HTTPError
    from requests import Timeout as RequestTimeout

    if isinstance(error, HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return "no answer in time" if isinstance(error, RequestTimeout) else type(error).__name__


def _contents(packed: Path) -> Iterator[tuple[str, _Content]]:
    """Yield name and content of each file in a .gz or a .zip of .gz; any other archive stays packed."""
    if packed.suffix == ".gz":
        with gzip.open(packed) as content:
            yield packed.stem, content
    elif packed.suffix == ".zip":
        with zipfile.ZipFile(packed) as archive:
            for name in (PurePosixPath(name) for name in archive.namelist() if name.endswith(".gz")):
                with archive.open(str(name)) as member, gzip.open(member) as content:
                    yield name.stem, content


def _recorded(folder: Path) -> dict[str, str]:
    """Recorded digests of extracted files, {name: MD5}; empty without a record."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {name: md5 for md5, _, name in (line.partition("  ") for line in lines)}


def _record(folder: Path, sums: Mapping[str, str]) -> None:
    note = folder / PARTIAL / SUMS
    note.write_text("".join(f"{md5}  {name}\n" for name, md5 in sorted(sums.items())), encoding="utf-8")
    note.replace(folder / SUMS)
