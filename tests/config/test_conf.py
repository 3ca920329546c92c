"""Every yaml in conf/ composes, passes the check and builds what it names."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import get_object

from digitrec import build
from digitrec.config import compose
from digitrec.config.schema import CONF_DIR
from tests.pictures import draw_pictures

GIVEN = {"model", "optimizer", "total_steps", "augmentations", "seed", "num_classes", "in_channels", "image_size"}
NOT_TRAINING = ("tta/", "tune/")
OPTIONS = sorted(str(file.relative_to(CONF_DIR).with_suffix("")) for file in CONF_DIR.glob("*/*.yaml"))


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.startswith(NOT_TRAINING)])
def test_every_option_composes_and_builds(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group, name = option.split("/")
    overrides = {"data": "data=digits", "init_from": "init_from=null", group: f"{group}={name}"}
    if option in ("model/timm", "logger/mlflow", "logger/wandb"):
        pytest.importorskip(name, reason=f"needs {name}")
    if option == "model/wrap":
        monkeypatch.setenv("DIGITREC_ALLOW", "tests.networks")
        overrides["network"] = "model.network._target_=tests.networks.Plain"
    if option == "data/folder":
        overrides["root"] = f"data.root={draw_pictures(tmp_path / 'pictures')}"
    if option == "trainer/gpu" and not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    composed = compose("train", list(overrides.values()), tmp_path)
    datamodule = build.build_datamodule(composed)
    trainer = build.build_trainer(composed)
    model = build.build_model(composed, datamodule)
    assert trainer.max_epochs is not None
    assert model.recipe is not None
    scheduler = model.recipe.scheduler(model.recipe.optimizer(model), 10)
    assert len(scheduler.get_last_lr()) >= 1


def nodes(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, dict):
        return []
    inner = [node for value in content.values() for node in nodes(value)]
    return [content, *inner] if "_target_" in content else inner


OURS = [
    pytest.param(node, id=f"{option}-{node['_target_'].rpartition('.')[2]}")
    for option in OPTIONS
    for node in nodes(yaml.safe_load((CONF_DIR / f"{option}.yaml").read_text(encoding="utf-8")))
    if node["_target_"].startswith("digitrec.")
]


@pytest.mark.parametrize("node", OURS)
def test_every_knob_of_ours_is_written_out(node: dict[str, Any]) -> None:
    taken = inspect.signature(get_object(node["_target_"])).parameters
    assert set(node) - {"_target_"} == set(taken) - GIVEN
