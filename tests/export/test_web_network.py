from pathlib import Path

import pytest
import torch

from digitrec.export import web_network
from digitrec.export.trained import open_trained
from digitrec.weights import HANDWRITING
from tests.command import Command
from tests.export.networks import NETWORKS, made
from tests.networks import saved

OURS = [kind for kind in NETWORKS if kind != "resnet18"]
IMAGES = torch.randint(256, (9, 1, 28, 28), generator=torch.Generator().manual_seed(2)).byte()


@pytest.mark.parametrize("kind", OURS)
def test_the_file_holds_the_network(kind: str, tmp_path: Path) -> None:
    model = made(kind)
    with torch.inference_mode():
        logits = model(IMAGES)
    trained = open_trained(saved(model, tmp_path / "network.ckpt"))
    web_network.write(trained, tmp_path / "network.bin")
    read = web_network.opened(tmp_path / "network.bin")
    assert torch.allclose(read(IMAGES), logits.softmax(1), atol=1e-5)


def test_the_file_is_hardly_larger_than_the_weights(tmp_path: Path) -> None:
    web_network.write(open_trained(HANDWRITING), tmp_path / "network.bin")
    assert (tmp_path / "network.bin").stat().st_size < HANDWRITING.stat().st_size + 4_000


def test_a_network_that_the_browser_cannot_compute_is_refused(run_export: Command, tmp_path: Path) -> None:
    saved(made("resnet18"), tmp_path / "network.ckpt")
    outcome = run_export("--checkpoint=network.ckpt", "--format=web", "-o", "page")
    assert (outcome.code, outcome.out) == (2, "resnet18, classes 0 1 2 3 4 5 6 7 8 9\n")
    assert outcome.err == ("error: --format web takes CNN, MLP and ResidualCNN, not resnet18.\nNext: --format onnx\n")
    assert not (tmp_path / "page").exists()


def test_networks_for_other_images_are_refused(run_export: Command, tmp_path: Path) -> None:
    from digitrec.models.mlp import MLP

    saved(MLP(image_size=32), tmp_path / "network.ckpt")
    outcome = run_export("--checkpoint=network.ckpt", "--format=web", "-o", "page")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "1 channels of 32x32 pixels, expected grey ones of 28x28" in outcome.err
