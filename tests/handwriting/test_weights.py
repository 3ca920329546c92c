"""Making the weights that come with digitrec, by the real commands on few images."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from digitrec.config.schema import CONF_DIR
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_portable
from digitrec.recognition.networks.numpy import NumpyNetwork
from scripts.measure import weights
from tests.command import Command, Outcome, only_run

SCRIPT = CONF_DIR.parent / "scripts" / "weights"


@pytest.mark.slow
@pytest.mark.mnist
def test_a_run_becomes_weights_with_a_card(run_train: Command, tmp_path: Path) -> None:
    few = ("data.limit=6000", "data.written=1000", "data.non_digits=500", "trainer.max_epochs=3")
    assert run_train("experiment=handwriting", *few, "test=false", "logger=none").code == 0
    run, file = only_run(tmp_path), tmp_path / "mine.safetensors"
    done = subprocess.run([SCRIPT, run, file], capture_output=True, text=True, check=True)
    card = read_portable(file)["card"]
    assert f"{file}: {file.stat().st_size:,} bytes" in done.stdout
    assert 0.5 < card["test"]["accuracy"] < 0.995, "81 % of so short a training"
    threshold, accepted = card["not_a_digit"]["threshold"], card["not_a_digit"]["accepted"]
    assert NumpyNetwork(file).threshold == threshold
    assert min(accepted["validation"], accepted["other_people"]) <= 0.99 <= max(accepted.values()), "99 % of both"
    restored, trained = (load_classifier(it).state_dict() for it in (file, run / "checkpoints" / "last.ckpt"))
    assert restored["features.0.weight"].equal(trained["features.0.weight"])
    assert (restored["head.4.weight"] * card["temperature"]).allclose(trained["head.4.weight"], atol=1e-3)


def test_a_run_that_is_not_there_is_a_wrong_usage(run_main: Callable[..., Outcome]) -> None:
    refused = run_main(weights.main, "nowhere")
    assert refused.code == 2
    assert refused.err.endswith("error: nowhere: no such folder, expected that of a run\n")
