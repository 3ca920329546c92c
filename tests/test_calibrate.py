"""The command: from a run to a calibrated checkpoint, read by all that read networks."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from digitrec import calibrate, predict
from digitrec.build import trained_on
from digitrec.config.schema import CONF_DIR
from digitrec.data import datasets
from digitrec.evaluation.calibration import prediction_sets
from digitrec.export import __main__ as export
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_checkpoint, write_checkpoint
from digitrec.models.mlp import MLP
from digitrec.recognition.networks.opening import open_network
from digitrec.recognition.recognizer import Recognizer
from digitrec.recognition.rejection import certainties
from digitrec.weights import HANDWRITING
from tests.command import Command, Outcome, contents, read_json
from tests.networks import checkpoint_of

DATA = {"dataset": "digits", "val_size": 0.2, "split_seed": 0, "folds": None, "fold": None, "limit": None}
WISHES = ("--accept", "0.99", "--coverage", "0.95")


@pytest.fixture
def run_calibrate(run_main: Callable[..., Outcome]) -> Command:
    return partial(run_main, calibrate.main)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return written_run(tmp_path / "run")


def written_run(folder: Path, data: dict[str, Any] = DATA, **settings: Any) -> Path:
    """The folder of a small network, trained a few steps on all but what it holds out."""
    torch.manual_seed(0)
    model = MLP(hidden=[32], dropout=0.0)
    model.settings = {"data": data, **settings}
    datamodule = trained_on(model, "run")
    datamodule.setup("fit")
    model.describe_data(datamodule.class_names, datamodule.mean, datamodule.std)
    images, labels = datamodule.splits["train"]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    content = checkpoint_of(model) | {"callbacks": {"History": {"epochs": [{"val/loss": 1.0}]}}}
    write_checkpoint(content, folder / "checkpoints" / "last.ckpt")
    return folder


def test_a_run_gets_a_calibrated_checkpoint(run: Path, run_calibrate: Command) -> None:
    before = contents(run)
    shown = run_calibrate("run", *WISHES, code=0).out
    kept = contents(run)
    assert {file.name for file in set(kept) - set(before)} == {"calibrated.ckpt", "calibration.json"}
    assert before.items() <= kept.items(), "nothing is changed in place"
    file, report = run / "checkpoints" / "calibrated.ckpt", read_json(run / "checkpoints" / "calibration.json")
    old, new = report["before"], report["after"]
    assert old["accuracy"] == new["accuracy"] > 0.8
    assert new["loss"] < old["loss"]
    assert old["accepted"] == 1
    assert 0.985 <= new["accepted"] <= 1
    assert f"temperature {report['temperature']:.3f}, threshold {report['threshold']:.4f}" in shown
    assert "288 images of digits held out" in shown
    assert "python -m digitrec.evaluate checkpoint=run/checkpoints/calibrated.ckpt" in shown
    about = read_checkpoint(file)["digitrec"]["calibration"]  # weights_only
    assert about["images"] == DATA | {"count": 288, "checksum": report["images"]["checksum"]}

    network, images = open_network(file), datasets.load("digits", "test").images
    expected = open_network(run)(images[:, 0].numpy())
    found = network(images[:, 0].numpy())
    assert network.threshold == report["threshold"]
    scaled = torch.tensor(expected).double().log().div(about["temperature"]).softmax(dim=1)
    assert np.allclose(found, scaled, atol=1e-4)
    assert (found.argmax(1) == expected.argmax(1)).all()
    sets = prediction_sets(torch.tensor(found), about["conformal"]["quantile"])
    assert 0.85 < sets.gather(1, datasets.load("digits", "test").labels[:, None]).double().mean() < 1


def test_the_threshold_travels_to_onnx(
    run: Path, run_calibrate: Command, run_main: Callable[..., Outcome], tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    run_calibrate("run", *WISHES, code=0)
    file, exported = run / "checkpoints" / "calibrated.ckpt", tmp_path / "digits.onnx"
    run_main(export.main, "--checkpoint", str(file), "--format", "onnx", "-o", str(exported), code=0)
    one, other = open_network(file), open_network(exported)
    images = datasets.load("digits", "test").images[:, 0].numpy()
    assert np.allclose(one(images), other(images), atol=1e-5)
    assert one.threshold == other.threshold is not None
    assert one.quantile == other.quantile is not None
    assert 0.9 < (certainties(other(images)) >= other.threshold).mean() <= 1


def test_a_prediction_set_comes_with_each_reading(
    run: Path, run_calibrate: Command, run_main: Callable[..., Outcome], tmp_path: Path
) -> None:
    run_calibrate("run", "--coverage", "0.95", code=0)
    file = str(run / "checkpoints" / "calibrated.ckpt")
    recognizer, quantile = Recognizer(file), load_classifier(file).quantile
    assert quantile is not None
    ink = datasets.load("digits", "test").images[:, 0].numpy() / np.float32(255)
    readings = [reading for reading in recognizer.read_ink(list(ink[:40])) if reading.label is not None]
    for reading in readings:
        assert reading.labels == tuple(name for name, share in reading.probabilities.items() if 1 - share <= quantile)
    assert len({len(reading.labels or ()) for reading in readings}) > 1, "the unsure ones are larger"

    Image.fromarray((255 - 255 * ink[0]).astype(np.uint8)).resize((84, 84)).save(tmp_path / "one.png")
    for checkpoint, expected in ((file, True), (str(run), False)):
        shown = run_main(predict.main, "--checkpoint", checkpoint, "--format", "json", "one.png", code=0).out
        assert ("labels" in json.loads(shown)[0]) == expected


def test_a_risk_that_cannot_be_promised_leaves_nothing(run: Path, run_calibrate: Command) -> None:
    run_calibrate("run", "--risk", "0.0001").assert_refused(
        "--risk 0.0001: with 288 images held out", "can be promised"
    )
    assert [file.name for file in contents(run)] == ["last.ckpt"]


def test_a_calibrated_checkpoint_is_calibrated_once(run: Path, run_calibrate: Command) -> None:
    run_calibrate("run", code=0)
    run_calibrate("run/checkpoints/calibrated.ckpt").assert_refused("calibrated already")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"data": DATA | {"val_size": 0}}, "no images were held out (data.val_size=0)"),
        ({"init_from": "elsewhere"}, "started from another run's weights"),
        ({"init_from": "run"}, "started from another run's weights"),
    ],
    ids=["none held out", "from weights that are gone", "from the same data"],
)
def test_images_that_may_have_been_trained_on_are_refused(
    settings: dict[str, Any], reason: str, run: Path, run_calibrate: Command, tmp_path: Path
) -> None:
    written_run(tmp_path / "other", **settings)
    run_calibrate("other").assert_refused(reason)


def test_weights_of_other_images_do_no_harm(run_calibrate: Command, tmp_path: Path) -> None:
    """The shipped weights were trained on MNIST."""
    written_run(tmp_path / "tuned", init_from=str(HANDWRITING))
    run_calibrate("tuned", code=0)


def test_changed_images_are_refused(run: Path, run_calibrate: Command) -> None:
    (run / "run.json").write_text('{"status": "finished", "data_checksum": "another"}')
    run_calibrate("run").assert_refused("its images have changed since")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["nowhere"], ["nowhere: no such file"]),
        (["handwriting"], ["does not name the data it was trained on"]),
        (["run", "--accept", "99"], ["--accept: 99: expected a share between 0 and 1"]),
        (["run", "--accept", "0.9", "--risk", "0.1"], ["not allowed with"]),
        (["run", "--coverage", "0.999"], ["--coverage 0.999: needs 999 images held out, there are 288"]),
    ],
    ids=["no run", "no data", "no share", "two thresholds", "too few"],
)
def test_a_wrong_usage_gets_one_line(words: list[str], parts: list[str], run: Path, run_calibrate: Command) -> None:
    run_calibrate(*words).assert_refused(*parts)


def test_a_run_of_a_cross_validation_is_calibrated_on_its_fold(run_calibrate: Command, tmp_path: Path) -> None:
    written_run(tmp_path / "fold", DATA | {"folds": 3, "fold": 1})
    assert "479 images" in run_calibrate("fold", code=0).out


def test_a_threshold_that_there_was_accepts_as_many(run: Path, run_calibrate: Command) -> None:
    last = run / "checkpoints" / "last.ckpt"
    content = read_checkpoint(last)
    content["digitrec"]["threshold"] = 0.9
    write_checkpoint(content, last)
    run_calibrate("run", code=0)
    report = read_json(run / "checkpoints" / "calibration.json")
    assert report["threshold"] != 0.9
    before, after = (report[when]["accepted"] for when in ("before", "after"))
    assert before == pytest.approx(after, abs=1 / 288)
    assert before < 1


def test_a_run_of_version_0_1_is_calibrated(run_calibrate: Command, tmp_path: Path) -> None:
    shutil.copytree(CONF_DIR.parent / "tests" / "fixtures" / "run_0_1", tmp_path / "old")
    assert "288 images of digits" in run_calibrate("old", code=0).out
