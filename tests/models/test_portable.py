import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from digitrec.errors import CheckpointError
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_portable, write_portable
from digitrec.models.mlp import MLP

CARD = {"command": "python -m digitrec.train", "seed": 1}


@pytest.fixture
def saved() -> tuple[MLP, dict[str, Any]]:
    """A network and what a checkpoint says of it."""
    model = MLP(hidden=[8], num_classes=3, image_size=6).eval()
    content: dict[str, Any] = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(content)
    return model, content


@pytest.mark.parametrize("threshold", [None, 0.0, 0.62, 1.0])
def test_weights_come_back_with_their_card_and_their_threshold(
    threshold: float | None, saved: tuple[MLP, dict[str, Any]], tmp_path: Path
) -> None:
    model, content = saved
    file, images = tmp_path / "mine.safetensors", torch.rand(2, 1, 6, 6)
    write_portable(content, CARD, file, threshold)
    restored = load_classifier(file)
    assert torch.equal(restored(images), model(images))
    assert restored.threshold == threshold
    assert read_portable(file)["card"] == CARD


def test_without_a_word_of_it_there_is_no_threshold(saved: tuple[MLP, dict[str, Any]], tmp_path: Path) -> None:
    _, content = saved
    torch.save(content, tmp_path / "run.ckpt")
    assert load_classifier(tmp_path / "run.ckpt").threshold is None


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "0.5", True, [0.5]])
def test_a_threshold_that_is_no_share_is_refused(
    wrong: object, saved: tuple[MLP, dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "mine.safetensors"
    write_portable(saved[1], CARD, file)
    about = read_portable(file)["digitrec"] | {"threshold": wrong}
    save_file(load_file(file), file, {"digitrec": json.dumps(about), "card": json.dumps(CARD)})
    with pytest.raises(CheckpointError, match="expected a number from 0 to 1"):
        load_classifier(file)
