"""Real runs, trained once, and our command on them."""

from pathlib import Path

import pytest

from digitrec import train
from digitrec.build import trained_on
from digitrec.evaluation.predictions import predict, write_csv
from digitrec.models.checkpoint import load_classifier
from digitrec.models.precision import native_precision
from tests.command import QUICK, run_in

TRAININGS = {
    "one": ("model.hidden=[16]", "seed=1"),
    "two": ("model.hidden=[16]", "seed=2", "trainer.max_epochs=2"),
    "lost": ("model.hidden=[16]", "data.limit=300", "seed=1", "optimizer=sgd", "optimizer.lr=1e30"),
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of three small trainings: `one` with its predictions, `two` that took longer, `lost` that failed."""
    folder = tmp_path_factory.mktemp("trained")
    for name, settings in TRAININGS.items():
        code = run_in(folder, train.main, *QUICK, "model=mlp", f"hydra.run.dir={folder / name}", *settings)
        assert code == (name == "lost")
    one = load_classifier(folder / "one")
    digits = trained_on(one, "one")
    digits.setup("test")
    found = predict([one], digits.splits["test"], precision=native_precision(one.device))
    write_csv(found, folder / "one" / "predictions.csv")
    return folder
