from pathlib import Path

import numpy as np
import pytest

from digitrec.app.samples import Samples, is_name
from digitrec.errors import DataError, UsageError
from digitrec.models.checkpoint import load_classifier
from digitrec.preprocessing.digit import as_mnist, find_digit
from digitrec.weights import HANDWRITING
from tests.app.drawn import ink_of
from tests.command import Command, only_run

DIGITS = tuple("0123456789")


def plain(label: int, seed: int = 0, **how: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return ink_of(label, seed=seed, **how).astype(np.float32) / np.float32(255)  # type: ignore[arg-type]


@pytest.mark.parametrize("pen", [0.02, 0.045, 0.08])
@pytest.mark.parametrize("label", range(10))
def test_a_sample_is_read_from_its_file_as_it_was_drawn(tmp_path: Path, label: int, pen: float) -> None:
    ink = plain(label, pen=pen)
    file = Samples(tmp_path, DIGITS).save(ink, str(label))
    assert file.parent == tmp_path / str(label)
    difference = find_digit(file).image.astype(int) - as_mnist(ink).astype(int)
    assert abs(difference).mean() < 2
    assert abs(difference).max() < 64


def test_the_same_ink_is_kept_once(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "samples", DIGITS)
    assert (samples.counts(), list(tmp_path.iterdir())) == ({}, []), "nothing is made before there is a sample"
    assert samples.save(plain(3), "3") == samples.save(plain(3), "3")
    samples.save(plain(3, seed=1), "3")
    samples.save(plain(4), "4")
    assert samples.counts() == {"3": 2, "4": 1}


@pytest.mark.parametrize("label", ["..", "a/b", "a\\b", "", ".hidden", "a\0", "c:", "a\n"])
def test_a_label_never_leads_out_of_the_folder(tmp_path: Path, label: str) -> None:
    assert not is_name(label)
    with pytest.raises(UsageError, match="cannot be the name of a folder"):
        Samples(tmp_path, ("1", label))
    with pytest.raises(UsageError, match="no label"):
        Samples(tmp_path, DIGITS).save(plain(1), label)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/1: Not a directory; give another folder with --save"):
        Samples(tmp_path / "file", DIGITS).save(plain(1), "1")


def test_what_could_not_be_written_whole_is_taken_away(tmp_path: Path) -> None:
    samples = Samples(tmp_path, DIGITS)
    file = samples.save(plain(1), "1")
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    with pytest.raises(DataError, match="Is a directory"):
        samples.save(plain(1), "1")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_weights_in_the_box_go_on_with_samples(run_train: Command, tmp_path: Path) -> None:
    """The command that README gives, shortened."""
    samples = Samples(tmp_path / "outputs" / "samples", DIGITS)
    for label in range(10):
        for seed in range(4):
            samples.save(plain(label, seed), str(label))
    recipe = ("experiment=finetune", "data=folder", "data.root=outputs/samples", f"init_from={HANDWRITING}")
    outcome = run_train(*recipe, "trainer.max_epochs=2", "trainer.accelerator=cpu")
    assert outcome.code == 0, outcome.err
    tuned = load_classifier(only_run(tmp_path))
    assert tuned.class_names == DIGITS
    assert type(tuned) is type(load_classifier(HANDWRITING))
