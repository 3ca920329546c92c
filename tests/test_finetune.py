"""Going on from a checkpoint with the real command."""

from operator import eq
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from digitrec import Recognizer
from digitrec.app.samples import Samples
from digitrec.data.datasets import load
from digitrec.data.labels import DIGITS
from digitrec.models.checkpoint import load_classifier
from digitrec.models.checkpoint_file import read_checkpoint
from digitrec.models.cnn import CNN
from digitrec.weights import HANDWRITING
from tests.command import QUICK, Command, only_run
from tests.handwriting.strange import sketch
from tests.networks import saved
from tests.pictures import draw_pictures

NO_LOGS = ("logger=none", "test=false")
MISSING = "no such file or folder; name yours, as in init_from=outputs/train/..."
STILL = "optimizer.lr=1e-12"  # too little to change a weight


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the default network, with weights that no seed of ours gives."""
    torch.manual_seed(12345)
    model = CNN()
    model.threshold = 0.7
    folder = tmp_path_factory.mktemp("source")
    (folder / "checkpoints").mkdir()
    saved(model, folder / "checkpoints" / "best.ckpt")
    return folder


def same_weights(some: nn.Module, others: nn.Module) -> bool:
    pairs = zip(some.parameters(), others.parameters(), strict=True)
    return all(torch.allclose(*pair, rtol=0, atol=1e-9) for pair in pairs)


@pytest.mark.parametrize("place", ["", "checkpoints/best.ckpt"])
def test_a_run_starts_from_the_weights_of_another(run_train: Command, source: Path, tmp_path: Path, place: str) -> None:
    run_train(*QUICK, *NO_LOGS, STILL, "data.limit=100", f"init_from={source / place}", "seed=7", code=0)
    assert same_weights(load_classifier(only_run(tmp_path)), load_classifier(source))


def test_shipped_weights_have_a_name_and_pass_on_their_rejection(run_train: Command, tmp_path: Path) -> None:
    run_train(*QUICK, *NO_LOGS, STILL, "data.limit=100", "model.dropout=0.4", "init_from=handwriting", code=0)
    run = only_run(tmp_path)
    assert same_weights(load_classifier(run), load_classifier(HANDWRITING))
    pictures = [sketch("written_letters", seed) for seed in range(8)]
    shipped, ours = ([reading.label for reading in Recognizer(it).read_all(pictures)] for it in (None, run))
    assert sum(map(eq, shipped, ours)) >= 7, (
        "one of eight may lie at the threshold: these data are normalised otherwise"
    )
    assert None in shipped


def test_other_classes_get_a_new_last_layer(run_train: Command, source: Path, tmp_path: Path) -> None:
    data = (f"data.root={draw_pictures(tmp_path / 'pictures')}", "data.val_size=0")
    run_train(*QUICK, "data=folder", *data, *NO_LOGS, STILL, f"init_from={source}", code=0)
    old, new = load_classifier(source), load_classifier(only_run(tmp_path))
    assert new.class_names == ("dash", "one")
    assert new.threshold is None
    assert same_weights(old.get_submodule("features"), new.get_submodule("features"))
    assert same_weights(old.get_submodule("head.1"), new.get_submodule("head.1"))


@pytest.fixture
def corrections(tmp_path: Path) -> str:
    """Two 1s and two 7s, as the page saves them."""
    samples, split = Samples(tmp_path / "samples", DIGITS), load("digits", "test")
    for label in (1, 7):
        for image in split.images[split.labels == label][:2]:
            samples.save(image[0].numpy() / np.float32(255), str(label))
    return f"data.root={samples.folder}"


FEW = ("experiment=finetune", "data=folder", "init_from=handwriting", "trainer.accelerator=cpu", "trainer.max_epochs=1")


def test_a_few_pictures_leave_all_digits_readable(run_train: Command, corrections: str, tmp_path: Path) -> None:
    """Also when the run goes on from its own checkpoint."""
    trained = run_train(*FEW, corrections, "logger=none", "hydra.run.dir=run", code=0)
    assert "warning: no pictures of 0, 2, 3, 4, 5, 6, 8, 9: these classes stay" in trained.err
    run_train("resume=run", "extend=1", code=0)
    network, shipped = (load_classifier(place) for place in (tmp_path / "run", HANDWRITING))
    images, labels = load("digits", "test")
    assert (network.class_names, network.threshold) == (DIGITS, shipped.threshold)
    assert torch.equal(network.mean, shipped.mean)
    right = [(each(images).argmax(1) == labels).float().mean().item() for each in (shipped, network)]
    assert right[1] > right[0] - 0.05, right  # at most 0.031 over five seeds


def test_classes_are_those_that_a_person_names(run_train: Command, corrections: str, tmp_path: Path) -> None:
    run_train(*FEW, corrections, *NO_LOGS, "data.classes=[7,1]", "hydra.run.dir=run", code=0)
    assert load_classifier(tmp_path / "run").class_names == ("7", "1")
    refused = run_train(*FEW, corrections, "data.classes=[1,2]")
    refused.assert_refused("data.classes=['1', '2']: folder has images of 7, too")


def test_a_resumed_run_sees_the_images_that_it_began_with(run_train: Command, tmp_path: Path) -> None:
    letters = CNN()
    letters.class_names = tuple("abcdefghij")
    source = saved(letters, tmp_path / "letters.ckpt")
    quick = ("data.limit=60", "data.batch_size=20", "data.rehearsal=200", "hydra.run.dir=run")
    run_train(*QUICK, *quick, f"init_from={source}", code=0)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    steps = read_checkpoint(last)["global_step"]
    run_train("resume=run", "extend=1", code=0)
    assert (steps, read_checkpoint(last)["global_step"]) == (3, 6)


def test_the_recipe_freezes_for_as_many_epochs_as_it_names(run_train: Command, source: Path, tmp_path: Path) -> None:
    recipe = ("experiment=finetune", "callbacks=[default,freeze,ema]", f"init_from={source}", "data.limit=100")
    for name, epochs in (("frozen", 2), ("released", 1)):
        settings = ("trainer.max_epochs=2", "trainer.accelerator=cpu", f"callbacks.freeze.until_epoch={epochs}")
        run_train(*recipe, *NO_LOGS, *settings, "callbacks.ema.decay=0.5", f"hydra.run.dir={name}", code=0)
    features = load_classifier(source).get_submodule("features")
    frozen, released = (
        load_classifier(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("frozen", "released")
    )
    assert same_weights(frozen.get_submodule("features"), features)
    assert not same_weights(released.get_submodule("features"), features)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("experiment=finetune",), f"RUN_FOLDER: {MISSING}"),
        (("init_from=nowhere",), f"nowhere: {MISSING}"),
        (("init_from={source}", "model=mlp"), "the checkpoint holds a CNN, model is MLP; use model=cnn"),
        (
            ("init_from={source}", "model.hidden=64"),
            "the checkpoint has hidden=128, model has 64; use model.hidden=128",
        ),
        (("init_from=3",), "init_from: 3: no such file"),
    ],
)
def test_unusable_weights_are_refused_in_a_line(
    arguments: tuple[str, ...], message: str, run_train: Command, source: Path
) -> None:
    refused = run_train(*QUICK, *(argument.format(source=source) for argument in arguments))
    refused.assert_refused("init_from", message)


def test_features_that_will_never_learn_are_announced(run_train: Command, source: Path) -> None:
    arguments = ("experiment=finetune", f"init_from={source}", "callbacks=[default,freeze]", "data.limit=100")
    short, long = (run_train(*arguments, *NO_LOGS, f"trainer.max_epochs={epochs}") for epochs in (2, 4))
    assert "until_epoch=3 is not reached" in short.err
    assert "until_epoch" not in long.err
