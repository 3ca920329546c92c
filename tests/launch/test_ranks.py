"""One training over two processes, and over two nodes: here two torchrun on this machine, that meet by gloo."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from digitrec.models.checkpoint import load_classifier
from tests.command import Command, read_json
from tests.forked import Forked
from tests.waiting import wait_for

OWN = ("train/images_per_second", "train/loss_step")  # the loss of the first process's share of a batch
# 37 steps of 34 images are all 1,258 of training: no step is shorter than the others.
SETTINGS = (
    "data=digits", "trainer.accelerator=cpu", "model=mlp", "model.hidden=[16]", "model.dropout=0",
    "trainer.precision=32-true", "data.eval_batch_size=7",
)  # fmt: skip
SPREAD = ("trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2", "data.batch_size=17")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def two_nodes(folder: Path, *arguments: str) -> Iterator[Sequence[subprocess.Popen[str]]]:
    """Two torchrun that share a file system, each with one process of the same training."""
    torchrun = (
        sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1",
        "--master-addr=127.0.0.1", f"--master-port={free_port()}",
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    nodes = [
        subprocess.Popen(
            [*torchrun, f"--node-rank={rank}", "--redirects=3", f"--log-dir={folder / f'node{rank}'}",
             "-m", "digitrec.train", *SETTINGS, *SPREAD, *arguments],
            cwd=folder, env=environment, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        yield nodes
    finally:
        for node in nodes:
            node.kill()
            node.wait()


def printed(node: Path) -> str:
    """What the training of a node printed, without torchrun, which complains when the other torchrun leaves first."""
    return "".join(file.read_text() for file in sorted(node.rglob("std*.log")))


ONE = ("data.batch_size=34", "trainer.max_epochs=1", "hydra.run.dir=one")
TWO = ("trainer=ddp", "data.batch_size=17", "trainer.max_epochs=1", "hydra.run.dir=two")


@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two cores")
def test_two_processes_learn_what_one_does_and_count_every_image_once(run_train: Command, tmp_path: Path) -> None:
    """Started from outside, as torchrun does."""
    run_train(*SETTINGS, *ONE, code=0)
    place = {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [{"WORLD_SIZE": "2", "RANK": rank, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": "2"} for rank in "01"]
    two = [
        Forked("digitrec.train", *SETTINGS, *TWO, cwd=tmp_path, env={**os.environ, **place, **rank}) for rank in ranks
    ]
    assert [process.wait(timeout=120)[0] for process in two] == [0, 0]
    assert_learned_the_same(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two cores")
def test_a_training_starts_its_second_process_itself(run_train: Command, spawn_train: Command, tmp_path: Path) -> None:
    run_train(*SETTINGS, *ONE, code=0)
    spawn_train(*SETTINGS, *TWO, code=0)
    assert_learned_the_same(tmp_path)


@pytest.mark.slow
def test_two_nodes_learn_what_one_process_does_and_leave_one_folder(run_train: Command, tmp_path: Path) -> None:
    run_train(*SETTINGS, "data.batch_size=34", "trainer.max_epochs=2", "hydra.run.dir=one", code=0)
    with two_nodes(tmp_path, "trainer.max_epochs=2", "hydra.run.dir=two") as nodes:
        codes = [node.wait(timeout=200) for node in nodes]
    assert codes == [0, 0], printed(tmp_path)
    assert "all figures:" in printed(tmp_path / "node0")
    assert printed(tmp_path / "node1") == ""
    assert_learned_the_same(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "node0", "node1"}
    left = [{path.name for path in (tmp_path / name).rglob("*")} for name in ("one", "two")]
    assert all("tfevents" in name for name in left[0] ^ left[1])
    process = read_json(tmp_path / "two" / "run.json")["pid"]
    assert all(f".{process}." in path.name for path in (tmp_path / "two").glob("*tfevents*"))


def assert_learned_the_same(folder: Path) -> None:
    """What one process has learned and measured, and what two have."""
    one, two = (read_json(folder / name / "metrics.json") for name in ("one", "two"))
    for name, value in one.items():
        if name not in OWN:
            assert two[name] == pytest.approx(value, rel=1e-4), name
    weights, others = (load_classifier(folder / name).state_dict() for name in ("one", "two"))
    for name, values in weights.items():
        torch.testing.assert_close(others[name], values, rtol=1e-3, atol=1e-4)
    record = read_json(folder / "two" / "run.json")
    assert (record["status"], record["processes"]) == ("finished", 2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("dead", [0, 1])
def test_a_process_that_dies_ends_the_other_within_half_a_minute(dead: int, tmp_path: Path) -> None:
    with two_nodes(tmp_path, "trainer.max_epochs=5000", "hydra.run.dir=run") as nodes:
        wait_for((tmp_path / "run" / "checkpoints" / "last.ckpt").is_file)
        children = Path(f"/proc/{nodes[dead].pid}/task/{nodes[dead].pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        assert [node.wait(timeout=30) for node in nodes] == [1, 1]
    record = read_json(tmp_path / "run" / "run.json")
    assert record["status"] == ("running" if dead == 0 else "failed")
    assert "another process of this training has ended" in printed(tmp_path / f"node{1 - dead}")
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()


TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "0"}
# As SLURM 22.05 sets them.
SBATCH = {
    "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NTASKS": "4", "SLURM_NNODES": "2",
    "SLURM_JOB_NAME": "digits",
}  # fmt: skip
NTASKS = {**SBATCH, "SLURM_PROCID": "1", "SLURM_STEP_ID": "0"}
SLURM = {**NTASKS, "SLURM_NTASKS_PER_NODE": "2"}


@pytest.fixture(autouse=True)
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torchrun or SLURM sets, where a test asks for it."""
    for name, value in getattr(request, "param", {}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        (TORCHRUN, (), "2 processes were started, and each would choose a run folder of its own"),
        (SLURM, (), "name one for all: hydra.run.dir=outputs/train/my-run"),
        (SLURM, ("resume=auto",), "name one for all"),
        (
            NTASKS,
            ("hydra.run.dir=run",),
            "--ntasks=4: Lightning needs the number for each machine; use --ntasks-per-node=2",
        ),
        (TORCHRUN, ("-m", "seed=1,2", "hydra.sweep.dir=sweep"), "each would run the whole sweep; start one"),
    ],
    indirect=["environment"],
)
def test_processes_without_a_common_folder_are_refused(
    arguments: tuple[str, ...], message: str, run_train: Command, tmp_path: Path
) -> None:
    run_train(*SETTINGS, *arguments).assert_refused(message)
    assert not list(tmp_path.iterdir())


FIRST = dict.fromkeys(("RANK", "SLURM_PROCID"), "0")


@pytest.mark.parametrize(
    "environment", [TORCHRUN | FIRST, SLURM | FIRST, SLURM | FIRST | {"SLURM_NTASKS": "1"}], indirect=True
)
def test_more_or_fewer_processes_than_the_trainer_needs_are_refused_in_a_line(run_train: Command) -> None:
    devices = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=3", "trainer.num_nodes=2")
    refused = run_train("data=digits", "model=mlp", *devices, "hydra.run.dir=run")
    refused.assert_refused("trainer.devices=3 trainer.num_nodes=2 need 6 processes, but srun or torchrun started")


@pytest.mark.parametrize(
    "environment",
    [SLURM | {"SLURM_PROCID": "0", "SLURM_JOB_NAME": "interactive"}, SLURM | {"SLURM_NTASKS": "1"}, SBATCH],
    indirect=True,
)
def test_a_single_process_in_a_job_of_slurm_needs_no_folder(run_train: Command) -> None:
    assert "it should be less" in run_train(*SETTINGS, "label_smoothing=7").err
