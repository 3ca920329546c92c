"""No right to write, no room, no right to read: reported in a line before the first step."""

import ctypes
import os
import pty
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.command import MOUNTS, QUICK, Command, Outcome, read_json, run_command, works
from tests.forked import Forked
from tests.pictures import draw_pictures

SETTINGS = (*QUICK, "model=mlp")
NOHUP = (signal.SIGHUP,)


def assert_refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.code in (1, 2)
    outcome.assert_refused(*parts, code=outcome.code, lines=2)
    assert "epoch" not in outcome.out


@pytest.mark.skipif(not works(MOUNTS), reason="users cannot mount file systems here")
@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("mount -t tmpfs -o size=4k none run && : > run/full && dd if=/dev/zero of=run/full bs=4k", "No space left"),
        ("mount -t tmpfs -o size=256k none run", "of room"),
        ("mount -t tmpfs -o ro none run", "Read-only file system"),
    ],
    ids=["full", "nearly full", "read-only"],
)
def test_a_disk_without_room_is_named_before_the_first_step(mount: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    mounted = (*MOUNTS, "sh", "-c", f'{mount} 2>/dev/null; exec "$@"', "sh")
    train = (sys.executable, "-m", "digitrec.train", *SETTINGS, "hydra.run.dir=run")
    assert_refused(run_command(*mounted, *train, cwd=tmp_path, timeout=240), "run", message)


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """Set how large a file of this process may become, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("size", "settings", "file"),
    [(100_000, ("model.hidden=[8]", "trainer.max_epochs=60"), ""), (1_000_000, (), "/checkpoints/best.ckpt")],
    ids=["TensorBoard's events", "checkpoint"],
)
def test_a_file_that_cannot_grow_is_named_with_the_next_step(
    size: int,
    settings: Sequence[str],
    file: str,
    run_train: Command,
    tmp_path: Path,
    limit_files: Callable[[int], None],
) -> None:
    limit_files(size)
    failed = run_train(*SETTINGS, "trainer.log_every_n_steps=1", "hydra.run.dir=run", *settings)
    place = f"{tmp_path / 'run'}{file}"
    failed.assert_refused(place, "File too large", "digitrec.train resume=run", code=1, lines=2)
    assert read_json(tmp_path / "run" / "run.json")["status"] == "failed"


def test_an_evaluation_that_cannot_write_says_so(
    run_train: Command, run_evaluate: Command, tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    assert run_train(*SETTINGS, "hydra.run.dir=run").code == 0
    limit_files(2**16 + 100)
    failed = run_evaluate("checkpoint=run", "hydra.run.dir=report", "accelerator=cpu", "robustness=0")
    failed.assert_refused(str(tmp_path / "report"), "File too large", "free some room", code=1)
    assert read_json(tmp_path / "report" / "run.json")["status"] == "failed"


FILLED = """mount -t tmpfs -o size=8m none run
(until grep -q ^2 run/history.csv 2>/dev/null; do sleep 0.05; done; dd if=/dev/zero of=run/full bs=4k 2>/dev/null) &
"$@"; code=$?; cp run/run.json kept.json; exit $code"""


@pytest.mark.slow
@pytest.mark.skipif(not works(MOUNTS), reason="users cannot mount file systems here")
def test_a_disk_that_fills_while_training_leaves_a_failed_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    train = (sys.executable, "-m", "digitrec.train", *SETTINGS, "trainer.max_epochs=500", "hydra.run.dir=run")
    failed = run_command(*MOUNTS, "sh", "-c", FILLED, "sh", *train, cwd=tmp_path, timeout=240)
    failed.assert_refused(str(tmp_path / "run"), "No space left", "digitrec.train resume=run", code=1, lines=2)
    assert read_json(tmp_path / "kept.json")["status"] == "failed"


@pytest.fixture
def without_root() -> Iterator[None]:
    """This thread without root's right to ignore permissions."""
    if os.geteuid():
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root cannot give up its rights here")
    libc, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(0x20080522)  # version 3, this thread
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable ones, as capability.h orders them
    assert libc.capget(header, rights) == 0
    effective = rights[0]
    rights[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, rights) == 0
    yield
    rights[0] = effective
    assert libc.capset(header, rights) == 0


@pytest.mark.usefixtures("without_root")
def test_a_run_folder_that_may_not_be_written_is_named(run_train: Command, tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir(mode=0o555)
    assert_refused(run_train(*SETTINGS), "the run folder cannot be written", "outputs", "Permission denied")


@pytest.mark.usefixtures("without_root")
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o555])
def test_a_data_folder_that_may_not_be_used_is_named(mode: int, run_train: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    refused = run_train(*SETTINGS, "data=mnist", f"data.root={data}", "data.mirrors=['http://127.0.0.1:9/']")
    data.chmod(0o755)
    assert_refused(refused, str(data), "Next:")


@pytest.mark.usefixtures("without_root")
def test_a_picture_that_may_not_be_read_is_named(run_train: Command, tmp_path: Path) -> None:
    secret = draw_pictures(tmp_path / "pictures") / "one" / "2.png"
    secret.chmod(0o000)
    refused = run_train(*SETTINGS, "data=folder", f"data.root={tmp_path / 'pictures'}")
    assert_refused(refused, str(secret), "Permission")


def test_more_processes_than_cores_are_refused(run_train: Command) -> None:
    refused = run_train(*SETTINGS, "trainer=ddp", "trainer.devices=99")
    refused.assert_refused(f"trainer.devices: 99 processes, but this machine has {os.cpu_count()} cores", lines=2)


def test_a_terminal_that_is_closed_ends_nothing_under_nohup(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    terminal = Path(os.ttyname(theirs))
    training = Forked("digitrec.train", *SETTINGS, "hydra.run.dir=run", cwd=tmp_path, stdout=terminal, ignored=NOHUP)
    with training:
        os.read(ours, 100)
        os.close(theirs)
        os.close(ours)
    assert training.returncode == 0, training.printed()
    assert read_json(tmp_path / "run" / "run.json")["status"] == "finished"


def test_a_folder_of_another_hydra_program_is_left_alone(run_train: Command, tmp_path: Path) -> None:
    theirs = tmp_path / "thesis" / ".hydra"
    theirs.mkdir(parents=True)
    for name in ("config", "hydra", "overrides"):
        (theirs / f"{name}.yaml").write_text("lr: 1\n")
    for wrong in ((), ("+optimizer.lrr=1",)):
        refused = run_train(*SETTINGS, *wrong, "hydra.run.dir=thesis")
        assert refused.code != 0
        assert "another program's" in refused.err
        assert {file.read_text() for file in theirs.iterdir()} == {"lr: 1\n"}
        assert [path.name for path in (tmp_path / "thesis").iterdir() if path.name != ".run.lock"] == [".hydra"]


def test_a_reader_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with Forked("digitrec.train", *SETTINGS, "hydra.run.dir=run", cwd=tmp_path, stdout=pipe) as training:
        reader = pipe.open()
        reader.readline()
        reader.close()  # as `| head -1` does
    assert (training.returncode, training.stderr.read_text()) == (0, "")
    assert read_json(tmp_path / "run" / "run.json")["status"] == "finished"
