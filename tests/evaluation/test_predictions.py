import csv
from pathlib import Path

import pytest
import torch

from digitrec.data.datasets import Split
from digitrec.errors import DigitrecError
from digitrec.evaluation.predictions import Predictions, evenly, predict, read_csv, write_csv
from digitrec.models.mlp import MLP


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (1234, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Split(images, torch.randint(10, (1234,), generator=generator))


def network(seed: int) -> MLP:
    torch.manual_seed(seed)
    return MLP(hidden=[8])


def test_one_classifier_gives_its_own_probabilities_without_dropout(split: Split) -> None:
    model = network(1).train()
    found = predict([model], split)
    with torch.inference_mode():
        torch.testing.assert_close(found.probabilities, model.eval()(split.images).softmax(dim=1))
    assert torch.equal(found.correct, found.probabilities.argmax(dim=1) == split.labels)


def test_an_ensemble_over_views_is_the_mean_of_all_probabilities(split: Split) -> None:
    models = [network(1), network(2)]
    found = predict(models, split, lambda images: [images, images.flip(3)])
    flipped = Split(split.images.flip(3), split.labels)
    parts = [predict([model], part).probabilities for model in models for part in (split, flipped)]
    torch.testing.assert_close(found.probabilities, torch.stack(parts).mean(dim=0))


def test_the_table_says_what_the_predictions_say(tmp_path: Path) -> None:
    names = ("Coat, long", 'T-shirt "top"', "Bag")
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    write_csv(Predictions(torch.tensor([1, 2]), probabilities, names), tmp_path / "predictions.csv")
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["index"], row["label"], row["prediction"]) for row in rows] == [
        ("0", names[1], names[0]),
        ("1", names[2], names[2]),
    ]
    assert float(rows[1]["p_Bag"]) == pytest.approx(0.6)


def test_writers_stand_in_the_last_column_and_the_worst_come_first(tmp_path: Path) -> None:
    probabilities = torch.tensor([[0.9, 0.1]] * 13)
    labels = torch.tensor([1, 0, *[1] * 6, *[0] * 4, 1])
    writers = torch.tensor([7, *[2000] * 8, *[5] * 4])
    found = Predictions(labels, probabilities, ("a", "b"), writers)
    assert found.by_writer == [(2000, 8, 2), (7, 1, 0), (5, 4, 3)], "one image tells little"
    write_csv(found, tmp_path / "predictions.csv")
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    assert head == ["index", "label", "prediction", "p_a", "p_b", "writer"]
    assert [int(row[-1]) for row in rows] == writers.tolist()
    assert torch.equal(read_csv(tmp_path / "predictions.csv")[1], found.correct)


def test_answers_are_read_back_as_they_were_written(split: Split, tmp_path: Path) -> None:
    found = predict([network(1)], split)
    write_csv(found, tmp_path / "predictions.csv")
    labels, right = read_csv(tmp_path / "predictions.csv")
    assert [int(label) for label in labels] == split.labels.tolist()
    assert torch.equal(right, found.correct)


@pytest.mark.parametrize("content", [b"index,label\n0,1\n", b"\xff\xfe", None])
def test_what_is_no_table_of_predictions_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "other.csv").write_bytes(content)
    with pytest.raises(DigitrecError, match=r"other\.csv: cannot be read as predictions"):
        read_csv(tmp_path / "other.csv")


def test_mistakes_that_gave_the_label_least_come_first() -> None:
    probabilities = torch.tensor([[0.3, 0.7], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = Predictions(torch.tensor([0, 0, 0, 1]), probabilities, ("a", "b"))
    assert found.mistakes.tolist() == [2, 0, 3]


def test_of_nothing_nothing_is_chosen() -> None:
    assert evenly(0, 8).tolist() == []


@pytest.mark.parametrize(("size", "count"), [(10_000, 2000), (7, 3), (5, 9), (3, 3)])
def test_evenly_spread_indices_rise_and_reach_every_part(size: int, count: int) -> None:
    chosen = evenly(size, count)
    assert len(chosen) == min(size, count)
    gaps = chosen.diff()
    assert chosen[0] == 0
    assert gaps.max() - gaps.min() <= 1
    assert size - 1 - chosen[-1] <= gaps.max()
