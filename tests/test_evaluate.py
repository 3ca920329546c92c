"""The evaluation command, on networks that the training command has made."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitrec import train
from digitrec.models.mlp import MLP
from tests.command import QUICK, Command, Outcome, read_json, run_in
from tests.idx import write_qmnist
from tests.networks import saved
from tests.pictures import draw_pictures


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short trainings on the embedded digits, `cnn` and `mlp`."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("cnn", "mlp"):
        settings = (f"model={model}", "trainer.max_epochs=4", "seed=1", f"hydra.run.dir={folder / model}")
        assert run_in(folder, train.main, *QUICK, *settings) == 0
    return folder


def only_evaluation(folder: Path) -> Path:
    (run,) = (folder / "outputs" / "evaluate").iterdir()
    return run


@pytest.mark.slow
def test_of_qmnist_the_report_is_by_writer_too(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10_060, 28, 28), dtype=np.uint8)
    writers = np.arange(10_060) // 20
    write_qmnist(tmp_path, images, np.arange(10_060) % 10, writers)
    data = ("data=qmnist", f"data.root={tmp_path}", "data.part=test50k", "data.val_size=10", "robustness=0")
    outcome = run_evaluate(f"checkpoint={runs / 'mlp'}", *data, code=0)
    folder = only_evaluation(tmp_path)
    found = read_json(folder / "metrics.json")
    assert found["test/writers"] == 3
    assert found["test/accuracy_by_writer_low"] < found["test/accuracy"] < found["test/accuracy_by_writer_high"]
    assert "test50k images" in outcome.out
    assert "by 3 writers" in outcome.out
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        assert [int(row["writer"]) for row in csv.DictReader(stream)] == writers[10_000:].tolist()
    assert (folder / "figures" / "worst_writers.png").is_file()


def test_it_repeats_the_figures_of_training_and_shows_all(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    outcome = run_evaluate(f"checkpoint={runs / 'cnn'}", "robustness=50", f"against={runs / 'mlp'}", code=0)
    folder = only_evaluation(tmp_path)
    found, trained = read_json(folder / "metrics.json"), read_json(runs / "cnn" / "metrics.json")
    for name in ("accuracy", "precision", "recall", "f1", "r2"):
        assert found[f"test/{name}"] == pytest.approx(trained[f"test/{name}"], abs=1e-5)
    assert found["test/loss"] == pytest.approx(trained["test/loss"], rel=0.02)  # means of batches in bfloat16
    assert found["test/accuracy_low"] < found["test/accuracy"] < found["test/accuracy_high"]
    mlp = read_json(runs / "mlp" / "metrics.json")
    assert found["comparison/accuracy"] == pytest.approx(mlp["test/accuracy"], abs=1e-5)
    assert f"{found['test/accuracy']:.2%}" in outcome.out

    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    right = sum(row["label"] == row["prediction"] for row in rows)
    assert right / len(rows) == pytest.approx(found["test/accuracy"])
    difference = found["comparison/only_this_right"] - found["comparison/only_other_right"]
    assert difference / len(rows) == pytest.approx(found["test/accuracy"] - found["comparison/accuracy"], abs=1e-6)
    record = read_json(folder / "run.json")
    assert (record["status"], record["tta"], record["data"]) == ("finished", "none", "digits")
    assert record["checkpoints"] == [str(runs / "cnn")]

    pictures = {picture.stem for picture in (folder / "figures").glob("*.png")}
    assert len(pictures) >= 12
    assert (folder / "report.html").read_text(encoding="utf-8").count("data:image/png") == 2 * len(pictures)
    tags = EventAccumulator(str(folder)).Reload().Tags()
    assert {f"report/{name}" for name in pictures} <= set(tags["images"])
    assert sum("precision_recall/" in tag for tag in tags["tensors"]) == 10
    assert "features" in (folder / "projector_config.pbtxt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_folds_are_evaluated_together_on_images_they_have_not_seen(
    run_train: Command, run_evaluate: Command, run_runs: Command, tmp_path: Path
) -> None:
    folds = ("data.folds=2", "-m", "data.fold=0,1", "seed=1", "hydra.sweep.dir=cv")
    run_train(*QUICK, "model=mlp", *folds, code=0)
    runs = [tmp_path / "cv" / f"data.fold-{fold}" for fold in (0, 1)]
    run_evaluate(f"checkpoint=[{runs[1]},{runs[0]}]", "split=out_of_fold", "robustness=20", "hydra.run.dir=all", code=0)
    found, each = read_json(tmp_path / "all" / "metrics.json"), [read_json(run / "metrics.json") for run in runs]
    assert not any(name.startswith("test/") for metrics in each for name in metrics)
    mean = sum(metrics["val/accuracy"] for metrics in each) / 2  # 719 images each
    assert found["out_of_fold/accuracy"] == pytest.approx(mean, abs=1e-6)
    assert len((tmp_path / "all" / "predictions.csv").read_text().splitlines()) == 1438 + 1
    assert "0,1" in run_runs("list", "cv", "--group", code=0).out
    for checkpoint, message in (
        (runs[0], "no checkpoint of fold 1"),
        (f"[{runs[0]},{runs[0] / 'checkpoints' / 'last.ckpt'}]", "are both of fold 0"),
    ):
        run_evaluate(f"checkpoint={checkpoint}", "split=out_of_fold").assert_refused(message)


def test_out_of_fold_needs_folds(run_evaluate: Command, runs: Path) -> None:
    run_evaluate(f"checkpoint={runs / 'mlp'}", "split=out_of_fold").assert_refused(
        "a cross-validation, as with data.folds=5"
    )


@pytest.mark.slow
def test_the_mean_of_a_network_with_itself_is_that_network(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    one = runs / "mlp" / "checkpoints" / "best.ckpt"
    copy = shutil.copy(one, tmp_path / "copy.ckpt")
    for number, checkpoint in enumerate((f"{one}", f"[{one},{copy}]")):
        run_evaluate(f"checkpoint={checkpoint}", "robustness=0", f"hydra.run.dir={number}", code=0)
    alone, together = (read_json(tmp_path / name / "metrics.json") for name in "01")
    assert alone == pytest.approx(together, abs=1e-6)
    assert not any(name.startswith("robustness") for name in alone)


@pytest.mark.slow
def test_views_change_the_loss_on_any_split(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    for tta in ("none", "small"):
        settings = ("split=val", "robustness=0", f"tta={tta}", f"hydra.run.dir={tta}")
        run_evaluate(f"checkpoint={runs / 'mlp'}", *settings, code=0)
    plain, views = (read_json(tmp_path / tta / "metrics.json") for tta in ("none", "small"))
    assert plain["val/accuracy"] == pytest.approx(read_json(runs / "mlp" / "metrics.json")["val/accuracy"])
    assert plain["val/loss"] != views["val/loss"]


@pytest.mark.slow
def test_a_network_against_itself_is_a_draw_with_views_too(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    copy = shutil.copy(runs / "mlp" / "checkpoints" / "best.ckpt", tmp_path / "copy.ckpt")
    same = (f"checkpoint={runs / 'mlp'}", f"against={copy}", "tta=small", "tta.shift=3", "robustness=0")
    run_evaluate(*same, "hydra.run.dir=run", code=0)
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert metrics["comparison/only_this_right"] == metrics["comparison/only_other_right"] == 0
    assert read_json(tmp_path / "run" / "run.json")["views"] == {"shift": 3, "degrees": 5.0}


@pytest.mark.slow
def test_a_training_can_end_with_the_same_report(run_train: Command, run_evaluate: Command, tmp_path: Path) -> None:
    made = ("data.non_digits=20", "report=true", "hydra.run.dir=run")
    run_train("data=digits", "model=mlp", "trainer.max_epochs=1", *made, code=0)
    run_evaluate("checkpoint=run", "hydra.run.dir=again", code=0)
    reported, again = (read_json(tmp_path / name / "metrics.json") for name in ("run", "again"))
    del again["test/loss"]
    assert {name: reported[name] for name in again} == pytest.approx(again, abs=1e-5)
    assert all((tmp_path / "run" / name).is_file() for name in ("report.html", "predictions.csv"))
    assert "report/confusion_counts" in EventAccumulator(str(tmp_path / "run")).Reload().Tags()["images"]


def test_validation_pictures_are_drawn_at_their_interval_and_at_the_end(run_train: Command, tmp_path: Path) -> None:
    pictures = ["callbacks=[default,pictures]", "callbacks.pictures.every_n_epochs=2"]
    run_train("data=digits", "model=mlp", "trainer.max_epochs=5", "hydra.run.dir=run", *pictures, code=0)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    ends = [event.step + 1 for event in events.Scalars("val/accuracy")]
    for name in ("val/confusion", "val/predictions"):
        assert [image.step for image in events.Images(name)] == [ends[1], ends[3], ends[4]]


def test_pictures_without_tensorboard_are_announced(run_train: Command) -> None:
    outcome = run_train(*QUICK, "model=mlp", "callbacks=[default,pictures]", "logger=none", code=0)
    assert "no pictures" in outcome.err


@pytest.mark.slow
def test_early_stopping_leaves_pictures_as_well(run_train: Command, tmp_path: Path) -> None:
    stopped = ["callbacks=[default,early_stopping,pictures]", "callbacks.early_stopping.min_delta=1.0"]
    run_train("data=digits", "model=mlp", "trainer.max_epochs=9", "hydra.run.dir=run", *stopped, code=0)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert events.Images("val/confusion")[-1].step == events.Scalars("val/accuracy")[-1].step + 1


def test_the_shipped_weights_are_evaluated_by_their_name(run_evaluate: Command, tmp_path: Path) -> None:
    run_evaluate("checkpoint=handwriting", "data=digits", "robustness=0", "hydra.run.dir=run", code=0)
    assert read_json(tmp_path / "run" / "metrics.json")["test/accuracy"] > 0.9
    line = refusal(run_evaluate("checkpoint=handwriting"), tmp_path)
    assert line.endswith("does not name the data it was trained on; add it, as in data=mnist")


def test_a_network_in_onnx_is_no_checkpoint(run_evaluate: Command, tmp_path: Path) -> None:
    (tmp_path / "it.onnx").touch()
    line = refusal(run_evaluate("checkpoint=it.onnx", "data=digits"), tmp_path)
    assert line == (
        "error: checkpoint: it.onnx: exported already; give the run folder or the checkpoint that it came from"
    )


@pytest.mark.parametrize("content", [b"{}", None], ids=["another file", "missing"])
def test_a_bad_checkpoint_gets_one_line(content: bytes | None, run_evaluate: Command, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "bad.ckpt").write_bytes(content)
    assert refusal(run_evaluate("checkpoint=bad.ckpt"), tmp_path).startswith("error: checkpoint: bad.ckpt: ")


def test_pictures_of_some_of_the_digits_are_enough(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    draw_pictures(tmp_path / "pictures", level="7", upright="1")
    mine = ("data=folder", "data.root=pictures", "robustness=0", "hydra.run.dir=run")
    outcome = run_evaluate(f"checkpoint={runs / 'mlp'}", *mine, code=0)
    assert "tested on 2 pictures, a fifth of each class in pictures: " in outcome.err
    with (tmp_path / "run" / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        assert {row["label"] for row in csv.DictReader(stream)} == {"1", "7"}


def test_weights_that_are_no_numbers_get_one_line(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(runs / "mlp" / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["state_dict"]["head.0.bias"].fill_(float("nan"))
    torch.save(checkpoint, tmp_path / "nan.ckpt")
    outcome = run_evaluate("checkpoint=nan.ckpt", code=1)
    assert outcome.err.splitlines()[-1].startswith("error: the network's output is not finite for some images")


def test_data_with_other_classes_gets_one_line(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    line = refusal(run_evaluate(f"checkpoint={runs / 'mlp'}", "data=fashion_mnist"), tmp_path)
    assert "fashion_mnist has 10 classes (T-shirt/top, " in line
    assert "trained for 10 classes (0, 1, " in line


def test_images_that_may_have_been_learned_are_no_validation(run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    other = ("data=digits", "data.val_size=100", "split=val")
    line = refusal(run_evaluate(f"checkpoint={runs / 'mlp'}", *other), tmp_path)
    assert "was trained with data.val_size=" in line
    assert line.endswith("use split=test")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "does not name the data it was trained on; add it, as in data=mnist"),
        ({"dataset": "nowhere"}, "was trained on what is no data set of ours: data.dataset=nowhere"),
        ({"dataset": "digits", "val_size": "x"}, "was trained on what is no data set of ours: data.val_size=x"),
    ],
)
def test_a_checkpoint_without_usable_data_gets_one_line(
    data: dict[str, Any] | None, message: str, run_evaluate: Command, tmp_path: Path
) -> None:
    model = MLP(hidden=[4])
    model.settings = {"data": data}
    saved(model, tmp_path / "odd.ckpt")
    assert message in refusal(run_evaluate("checkpoint=odd.ckpt"), tmp_path)


@pytest.mark.parametrize("arguments", ["data.val_size=0 split=val", "data.limit=10", "data.root=somewhere"])
def test_settings_that_need_another_name_it(arguments: str, run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    line = refusal(run_evaluate(f"checkpoint={runs / 'mlp'}", *arguments.split()), tmp_path)
    assert "choose an option of data first: data=..." in line


@pytest.mark.parametrize("again", ["checkpoint=[{0},{0}/checkpoints/best.ckpt]", "checkpoint={0} against={0}"])
def test_a_network_named_twice_gets_one_line(again: str, run_evaluate: Command, runs: Path, tmp_path: Path) -> None:
    outcome = run_evaluate(*again.format(runs / "mlp").split())
    assert "this network is named twice" in refusal(outcome, tmp_path)


@pytest.mark.parametrize("name", ["9999", "[9999,nope]"])
def test_a_run_that_there_is_not_gets_one_line(name: str, run_evaluate: Command, tmp_path: Path) -> None:
    line = refusal(run_evaluate(f"checkpoint={name}"), tmp_path)
    assert line.startswith("error: checkpoint: 9999: no such file or folder")


def test_a_report_on_no_images_is_refused_before_training(run_train: Command, tmp_path: Path) -> None:
    line = refusal(run_train("data=digits", "report=true", "test=false", "data.val_size=0"), tmp_path)
    assert line.startswith("error: report=true: ")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("split=tset", "split=tset"),
        ("robustness=-1", "robustness=-1"),
        ("tta=big", "tta=big: no such option"),
        ("run_dir=elsewhere", "run_dir=elsewhere: it follows from hydra.run.dir"),
        ("outputs/train/run", "outputs/train/run: expected key=value"),
    ],
)
def test_wrong_settings_get_one_line(argument: str, message: str, run_evaluate: Command, tmp_path: Path) -> None:
    assert message in refusal(run_evaluate("checkpoint=somewhere", argument), tmp_path)


def refusal(outcome: Outcome, folder: Path) -> str:
    outcome.assert_refused()
    assert not list((folder / "outputs").glob("*/*"))  # nothing was started, nothing is left
    return outcome.err.strip()
