"""run.json: what was run, on what, and how it ended."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from digitrec.errors import DigitrecError, FolderTakenError, is_disk_full
from digitrec.run_folder.provenance import provenance
from digitrec.run_folder.reading import read_json
from digitrec.system.files import write_text
from digitrec.system.signals import signal_exit_code

RECORD = "run.json"
LOCK = ".run.lock"
LOCK_S = 0.5  # seconds to wait for a lock: a program that checks whether a run is going on holds it for an instant
RESERVE = 2**16  # bytes
FIRST_START = ("start", "command", "git_revision", "versions")
MAX_DURATION_S = 1e10  # some centuries
EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {  # of the entries that a resumed run needs
    "duration_s": ("a number of seconds", lambda value: isinstance(value, int | float) and 0 <= value < MAX_DURATION_S),
    "resumed": ("a list", lambda value: isinstance(value, list)),
    "data_checksum": ("a text", lambda value: isinstance(value, str)),
}


@contextmanager
def run_record(
    run_dir: Path, *, resume: bool = False, prepare: Callable[[], dict[str, Any]] = dict
) -> Iterator[dict[str, Any]]:
    """Keep `run_dir`/run.json true while a run goes on and after it ends, however it ends.

    Args:
        run_dir: folder of the run.
        resume: the record there is of this run, which was interrupted.
        prepare: called before a new run's record is written, once the folder is known to be free; returns
            entries of it.

    Yields:
        the record; whatever the run adds to it is written at the end. Its `status` is running, finished,
        interrupted or failed, the last with an `error`.

    Raises:
        FolderTakenError: there is a record of another run, or this one is still going on.
        DigitrecError: the folder can't be written, or the record there is damaged.
    """
    now = {"status": "running", "pid": os.getpid(), **provenance()}
    began = time.perf_counter()
    with _alone(run_dir), ExitStack() as stack:
        try:
            if not resume and (run_dir / RECORD).exists():
                raise FolderTakenError(
                    f"{run_dir} holds a run already; choose another folder, leave hydra.run.dir to us, "
                    "or go on with it: resume=auto"
                )
            record = _continued(_checked(read_record(run_dir), run_dir), now) if resume else now | prepare()
            reserve = stack.enter_context(_reserve(run_dir))
            write_json(run_dir / RECORD, record)
        except OSError as error:
            raise DigitrecError(f"the run folder cannot be written: {error}") from error
        before = record.get("duration_s", 0.0)
        try:
            yield record
        except BaseException as error:
            record["duration_s"] = round(before + time.perf_counter() - began, 3)
            failure = _explained(error, run_dir)
            reserve.close()
            close_record(run_dir, failure, record)
            if failure is error:
                raise
            raise failure from error
        record["status"] = "finished"
        record["duration_s"] = round(before + time.perf_counter() - began, 3)
        write_json(run_dir / RECORD, record)


def _explained(error: BaseException, run_dir: Path) -> BaseException:
    """What ended a run, as an error with a message where it has none that helps."""
    match error:
        case SystemExit() if not signal_exit_code(error):
            return DigitrecError(f"code in the run called sys.exit({error.code!r})")
        case OSError() if is_disk_full(error):  # without the path, where a write has failed
            return DigitrecError(f"{error.filename or run_dir}: {error.strerror}; free some room and start anew")
        case _:
            return error


@contextmanager
def _reserve(run_dir: Path) -> Iterator[IO[bytes]]:
    """Room on the disk until the file is closed: how a run ended is written even where the disk is full."""
    with TemporaryFile(dir=run_dir) as file:
        file.write(os.urandom(RESERVE))  # what a file system cannot compress
        file.flush()
        yield file


def close_record(run_dir: Path, error: BaseException, record: dict[str, Any] | None = None) -> None:
    """Write into `run_dir`/run.json how the run failed or was interrupted; the record there, unless one is given."""
    with suppress(OSError, DigitrecError):  # a full disk must not hide the error
        record = read_record(run_dir) if record is None else record
        record["status"] = "failed" if isinstance(error, Exception) else "interrupted"
        if isinstance(error, Exception):
            record["error"] = str(error) if isinstance(error, DigitrecError) else f"{type(error).__name__}: {error}"
        write_json(run_dir / RECORD, record)


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """Lock a run folder; the system releases the lock when this process ends, however it ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(run_dir / LOCK)
    try:
        lock.acquire(timeout=LOCK_S)
    except Timeout:
        process = read_record(run_dir).get("pid")
        raise FolderTakenError(f"{run_dir}: this run is still going on, in process {process}") from None
    except OSError as error:
        raise DigitrecError(f"the run folder cannot be written: {error}") from error
    try:
        yield
    finally:
        lock.release()


def read_record(run_dir: Path) -> dict[str, Any]:
    """The content of run.json.

    Raises:
        DigitrecError: it cannot be read.
    """
    try:
        record = read_json(run_dir / RECORD)
    except (FileNotFoundError, DigitrecError) as error:
        reason = f"{run_dir / RECORD}: missing" if isinstance(error, FileNotFoundError) else error
        raise DigitrecError(f"{reason}; start the run anew") from error
    if not isinstance(record, dict) or "status" not in record:
        raise DigitrecError(f"{run_dir / 'run.json'}: not the record of a run; start the run anew")
    return record


def _checked(record: dict[str, Any], run_dir: Path) -> dict[str, Any]:
    """The record, if a run can be resumed from it."""
    for name, (kind, fits) in EXPECTED.items():
        if name in record and not fits(record[name]):
            found = json.dumps(record[name])
            raise DigitrecError(
                f"{run_dir / 'run.json'}: {name} is {found[:40]}, expected {kind}; correct it, or remove the entry"
            )
    return record


def _continued(earlier: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The record of a resumed run: its first start stays, this one is added to `resumed`."""
    kept: dict[str, Any] = {name: earlier[name] for name in (*FIRST_START, "duration_s") if name in earlier}
    later = {name: now[name] for name in FIRST_START}
    earlier = {name: value for name, value in earlier.items() if name != "error"}
    return {**earlier, **now, **kept, "resumed": [*earlier.get("resumed", []), later]}


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all; numbers that are not finite, which JSON lacks, become null."""
    write_text(file, json.dumps(_finite(content), indent=2, default=str, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
