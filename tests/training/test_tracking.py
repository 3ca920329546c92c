"""MLflow and Weights & Biases beside TensorBoard, against the real libraries where they are installed."""

import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from digitrec.training.throughput import Throughput
from digitrec.training.tracking import _forgiving
from tests.command import QUICK, Command, read_json
from tests.waiting import wait_for

MLP = (*QUICK, "model=mlp", "data.limit=300", "hydra.run.dir=run", "trainer.log_every_n_steps=1")
FIGURES = {"val/accuracy", "train/loss", "test/accuracy", "lr/weights"}
mlflow_only = pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra mlflow is not installed")
wandb_only = pytest.mark.skipif(find_spec("wandb") is None, reason="the extra wandb is not installed")


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_package_is_named_before_the_first_step(name: str, run_train: Command) -> None:
    if find_spec(name):
        pytest.skip(f"{name} is installed")
    run_train(*MLP, f"logger=[tensorboard,{name}]").assert_refused(f"needs the extra {name}", "pip install")


def test_a_tracker_that_fails_in_training_is_a_warning_and_left_alone_from_there_on() -> None:
    calls = []

    def send(self: Any) -> None:
        calls.append(self)
        raise ConnectionError("no route")

    tracker = SimpleNamespace(lost=False, extra="some", explain=str)
    with pytest.warns(UserWarning, match="logger=some: no route; nothing more is sent"):
        _forgiving(send)(tracker)
    with warnings.catch_warnings(action="error"):
        _forgiving(send)(tracker)
    assert len(calls) == 1


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """Address of the database that MLflow has without a server."""
    return f"sqlite:///{tmp_path}/outputs/mlflow.db"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A real MLflow server: its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = (f"--backend-store-uri=sqlite:///{tmp_path}/server.db", f"--artifacts-destination={tmp_path}/artifacts")
    command = (sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1", *place)
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: _listens(port), 120)
        yield f"http://127.0.0.1:{port}", process
    finally:
        _kill(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):  # with its workers
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def only_mlflow_run(uri: str) -> tuple[Any, Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("digitrec").experiment_id])
    return client, run


@pytest.mark.slow
@mlflow_only
def test_mlflow_gets_settings_figures_and_files_and_goes_on_with_the_same_run(
    run_train: Command, tmp_path: Path, uri: str
) -> None:
    run_train(*MLP, "logger=[tensorboard,mlflow]", "report=true", "tags=[first]", "note=a remark", code=0)
    client, run = only_mlflow_run(uri)
    assert (run.data.params["optimizer.lr"], run.data.params["seed"], run.info.status) == ("0.003", "42", "FINISHED")
    assert (run.info.run_name, run.data.tags["tags"], run.data.tags["mlflow.note.content"]) == (
        "run",
        "first",
        "a remark",
    )
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert {*FIGURES, "test/balanced_accuracy"} <= run.data.metrics.keys()
    assert run.data.metrics["test/accuracy"] == pytest.approx(metrics["test/accuracy"])
    stored = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "metrics.json", "figures", "checkpoints", "hydra"} <= stored
    steps = len(client.get_metric_history(run.info.run_id, "val/accuracy"))
    run_train("resume=run", "extend=1", code=0)
    client, again = only_mlflow_run(uri)
    assert again.info.run_id == run.info.run_id == read_json(tmp_path / "run" / "run.json")["trackers"]["mlflow"]
    assert again.info.status == "FINISHED"
    assert len(client.get_metric_history(run.info.run_id, "val/accuracy")) == steps + 1


@pytest.mark.slow
@mlflow_only
def test_a_training_outlives_its_mlflow_server(
    run_train: Command, server: tuple[str, "subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, process = server
    original, steps = Throughput.on_train_batch_end, iter(range(1, 10_000))
    known: list[Any] = []

    def at_batch_end(*arguments: Any) -> None:
        original(*arguments)
        if next(steps) == 3:
            known.append(only_mlflow_run(address)[1])
            _kill(process)

    monkeypatch.setattr(Throughput, "on_train_batch_end", at_batch_end)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    ended = run_train(*MLP, "data.batch_size=32", "logger=[tensorboard,mlflow]", code=0)
    assert known[0].data.params["seed"] == "42"
    assert "train/loss_step" in known[0].data.metrics
    assert ended.err.count("logger=mlflow: no server answers at") == 1, ended.err


@pytest.mark.slow
@mlflow_only
def test_an_absent_mlflow_server_is_named_before_the_first_step(run_train: Command) -> None:
    nowhere = "logger.mlflow.tracking_uri=http://127.0.0.1:9"
    ended = run_train(*MLP, "logger=[tensorboard,mlflow]", nowhere)
    ended.assert_refused("no server answers at http://127.0.0.1:9", "logger=tensorboard", code=1, lines=2)


@pytest.mark.slow
@wandb_only
def test_wandb_gets_settings_figures_and_files_offline_and_goes_on_with_the_same_run(
    run_train: Command, tmp_path: Path
) -> None:
    run_train(*MLP, "logger=[tensorboard,wandb]", "report=true", "tags=[first]", code=0)
    run_train("resume=run", "extend=1", code=0)
    identity = read_json(tmp_path / "run" / "run.json")["trackers"]["wandb"]
    folders = sorted((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert [folder.name.rpartition("-")[2] for folder in folders] == [identity] * 2
    first, second = (b"".join(file.read_bytes() for file in folder.glob("*.wandb")) for folder in folders)
    settings = ("optimizer.lr", "seed", "test/balanced_accuracy", "figures/calibration", "first")
    assert not [name for name in (*FIGURES, *settings) if name.encode() not in first]
    assert not [name for name in FIGURES if name.encode() not in second]
    assert (folders[0] / "files" / "report.html").exists()
    assert (folders[0] / "files" / "checkpoints" / "best.ckpt").exists()


@pytest.mark.slow
@wandb_only
def test_a_missing_login_is_named_before_the_first_step(
    run_train: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    ended = run_train(*MLP, "logger=[tensorboard,wandb]", "logger.wandb.mode=online")
    ended.assert_refused("nobody is logged in", "wandb login", code=1)
