"""A module of a person's own as a classifier, through the real commands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from digitrec import predict
from digitrec.errors import CheckpointError
from digitrec.export import __main__ as export
from digitrec.models.checkpoint import load_classifier
from digitrec.models.wrapped import Wrapped
from tests.command import QUICK, Command, only_run
from tests.networks import Plain, saved

PLAIN = {"_target_": "tests.networks.Plain"}
WRAP = ("model=wrap", "model.network._target_=tests.networks.Plain")


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITREC_ALLOW", "tests")


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (4, 1, 28, 28), generator=torch.Generator().manual_seed(0)).byte()


def ten_logits() -> nn.Module:
    """A function, without any argument."""
    return Plain()


def identity() -> nn.Module:
    return nn.Identity()


def no_module() -> str:
    return "no module"


def test_a_module_gets_normalised_images_and_its_checkpoint_restores_it(images: Tensor, tmp_path: Path) -> None:
    model = Wrapped({**PLAIN, "hidden": 5}, num_classes=3)
    model.describe_data(("a", "b", "c"), (0.2,), (0.4,))
    assert model.network.get_parameter("layers.1.weight").shape == (5, 28 * 28)
    torch.testing.assert_close(model(images), model.network((images / 255 - 0.2) / 0.4))
    restored = load_classifier(saved(model, tmp_path / "it.ckpt"))
    assert torch.equal(restored(images), model(images))


def test_images_can_be_resized() -> None:
    model = Wrapped(PLAIN, resize=28, image_size=14)
    assert model(torch.rand(2, 1, 14, 14)).shape == (2, 10)


@pytest.mark.parametrize(
    ("target", "settings", "message"),
    [
        ("ten_logits", {"num_classes": 3}, r"Plain gives \(1, 10\) for one image, expected logits \(1, 3\)"),
        ("identity", {}, r"Identity gives \(1, 1, 28, 28\) for one image, expected logits \(1, 10\)"),
        ("no_module", {}, "no_module gives a str, expected a torch.nn.Module"),
        ("ten_logits", {"image_size": 8}, r"Plain takes no grey images of 8 pixels \(.*mat1.*; try model.resize"),
        ("ten_logits", {"resize": 10_000}, "expected 512 pixels at most"),
        ("absent", {}, "absent is not installed here"),
    ],
)
def test_what_is_no_classifier_is_refused_in_one_line(target: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Wrapped({"_target_": f"{__name__}.{target}"}, **settings)


@pytest.mark.parametrize(
    "target", ["os.system", "tests.networks.Trainer", "digitrec.models.checkpoint.load_classifier"]
)
def test_a_checkpoint_builds_nothing_but_what_is_allowed(target: str, tmp_path: Path) -> None:
    """Neither by name, nor by the name that an allowed module gives to something from elsewhere."""
    model = Wrapped(PLAIN)
    model.hparams["network"] = {"_target_": target, "command": f"mkdir {tmp_path / 'marker'}"}
    file = saved(model, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match=f"{target.rpartition('.')[2]} is not one of ours"):
        load_classifier(file)
    assert not (tmp_path / "marker").exists()


def test_a_module_trains_and_predicts_wherever_it_is_allowed(
    run_train: Command, run_main: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = (*QUICK, *WRAP, "data.limit=100", "logger=none")
    run_train(*small, "model.network.hidden=7", code=0)
    run = only_run(tmp_path)
    tuned = run_train(*small, "model.network.hidden=7", f"init_from={run}", "callbacks=[default,freeze]", code=0)
    assert "Plain (5,575 parameters)" in tuned.out
    refused = run_train(*small, f"init_from={run}")
    refused.assert_refused('the checkpoint has network={"_target_":"tests.networks.Plain","hidden":7}')
    Image.fromarray(np.full((40, 40), 255, np.uint8)).save(tmp_path / "blank.png")
    run_main(predict.main, "blank.png", "--checkpoint", str(run), code=0)
    monkeypatch.delenv("DIGITREC_ALLOW")
    run_train(*small).assert_refused("tests.networks.Plain may not be built", "DIGITREC_ALLOW=tests.networks", lines=2)
    refused = run_main(predict.main, "blank.png", "--checkpoint", str(run))
    refused.assert_refused("its network tests.networks.Plain is not one of ours", code=1, lines=2)


@pytest.mark.slow
def test_a_module_is_trained_on_evaluated_and_exported(
    run_train: Command, run_evaluate: Command, run_main: Command, tmp_path: Path
) -> None:
    run_train(*QUICK, *WRAP, "data.limit=100", "logger=none", code=0)
    run = only_run(tmp_path)
    run_train(f"resume={run}", "extend=1", code=0)
    run_evaluate(f"checkpoint={run}", "robustness=0", "accelerator=cpu", code=0)
    run_main(export.main, "--checkpoint", str(run), "--format", "onnx", "--output", "network.onnx", code=0)
