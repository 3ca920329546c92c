from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

from digitrec.data.datamodule import DigitDataModule
from digitrec.models.mlp import MLP
from digitrec.training.tensorboard import log_config, log_hyperparameters

SETTINGS = {"model": "mlp", "lr": 0.05, "weight_decay": None, "batch_size": 8, "nesterov": True}
CONFIG = {"seed": 0, "model": {"hidden": [8], "dropout": 0.2}}


@pytest.fixture(scope="module")
def metrics() -> dict[str, float]:
    """Of the run below, filled by it."""
    return {}


@pytest.fixture(scope="module")
def run_dir(
    trainer: Callable[..., Trainer],
    mlp: Callable[..., MLP],
    digits: Callable[[], DigitDataModule],
    metrics: dict[str, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """What a training, a test and our summaries leave."""
    folder = tmp_path_factory.mktemp("run")
    loggers = [TensorBoardLogger(folder, name="", version=""), CSVLogger(folder / "csv")]
    run, model, data = trainer(logger=loggers, max_epochs=2, log_every_n_steps=1), mlp(), digits()
    log_config(run.loggers, CONFIG)
    run.fit(model, data)
    metrics |= {name: value.item() for name, value in run.callback_metrics.items()}
    metrics |= run.test(model, data, verbose=False)[0]
    log_hyperparameters(run, SETTINGS, metrics, ["lr"])
    return folder


@pytest.fixture(scope="module")
def events(run_dir: Path) -> Any:
    return EventAccumulator(str(run_dir)).Reload()


def summary(events: Any, kind: str) -> HParamsPluginData:
    content = events.SummaryMetadata(f"_hparams_/{kind}").plugin_data.content
    return HParamsPluginData.FromString(content)


def test_the_hparams_tab_holds_the_settings_that_are_set(events: Any) -> None:
    values = summary(events, "session_start_info").session_start_info.hparams
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}
    assert found == {name: value for name, value in SETTINGS.items() if value is not None}


def test_the_hparams_tab_begins_with_the_settings_that_were_chosen(events: Any) -> None:
    infos = summary(events, "experiment").experiment.hparam_infos
    assert [info.name for info in infos if info.differs] == ["lr"]


def test_the_hparams_tab_holds_the_final_metrics(events: Any, metrics: dict[str, float]) -> None:
    named = [info.name.tag for info in summary(events, "experiment").experiment.metric_infos]
    shown = {tag: [event.value for event in events.Scalars(tag)] for tag in named}
    names = {"val/accuracy": "val_best/accuracy", "val/loss": "val_best/loss"}
    assert shown == {
        names.get(name, name): [pytest.approx(metrics[name])]
        for name in ("val/accuracy", "val/loss", "test/accuracy", "test/loss")
    }


def test_the_custom_scalars_tab_shows_training_and_validation_in_one_chart(events: Any) -> None:
    (event,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(make_ndarray(event.tensor_proto).item())
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert charts == {name: [f"^train/{name}$", f"^val/{name}$"] for name in ("loss", "accuracy")}
    assert {tag.strip("^$") for tags in charts.values() for tag in tags} <= set(events.Tags()["scalars"])


def test_no_placeholder_stands_for_a_metric(events: Any) -> None:
    tags = events.Tags()["scalars"]
    assert "hp_metric" not in tags
    assert -1 not in {event.value for tag in tags if not tag.endswith("/r2") for event in events.Scalars(tag)}


def test_curves_have_a_point_per_epoch_under_the_names_of_the_metrics(events: Any, metrics: dict[str, float]) -> None:
    for stage in ("train", "val"):
        for name in ("loss", "accuracy"):
            curve = events.Scalars(f"{stage}/{name}")
            assert len(curve) == 2
            assert curve[-1].value == pytest.approx(metrics[f"{stage}/{name}"])


def test_the_text_tab_holds_the_configuration(events: Any) -> None:
    (event,) = events.Tensors("config/text_summary")
    text = make_ndarray(event.tensor_proto).item().decode()
    assert yaml.safe_load(text.removeprefix("```yaml\n").removesuffix("\n```")) == CONFIG


def test_hparams_yaml_holds_the_configuration(run_dir: Path) -> None:
    assert yaml.safe_load((run_dir / "hparams.yaml").read_text()) == CONFIG


def test_metrics_that_a_run_lacks_are_left_out(trainer: Callable[..., Trainer], tmp_path: Path) -> None:
    run = trainer(logger=TensorBoardLogger(tmp_path, name="", version=""))
    log_hyperparameters(run, SETTINGS, {"val/loss": 0.25, "train/loss": 0.5})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(tag, events.Scalars(tag)[0].value) for tag in events.Tags()["scalars"]] == [("val_best/loss", 0.25)]


def test_without_tensorboard_nothing_is_written(trainer: Callable[..., Trainer], tmp_path: Path) -> None:
    run = trainer(logger=CSVLogger(tmp_path))
    log_config(run.loggers, CONFIG)
    log_hyperparameters(run, SETTINGS, {"test/loss": 0.25})
    assert list(tmp_path.rglob("*")) == []
