"""Laws of what is held out: validation images, folds, and nested subsets."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from digitrec.data.splitting import fold_split, stratified_split, stratified_subset
from digitrec.errors import UsageError

MNIST_CLASSES = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@given(st.lists(st.integers(1, 40), min_size=2, max_size=10), st.floats(0, 0.999), st.integers(0, 99), st.data())
def test_split_is_complete_and_stratified(classes: list[int], share: float, seed: int, data: st.DataObject) -> None:
    counts = torch.tensor(classes)
    size = sum(classes)
    held_out = min(round(share * size), size - 1)
    labels = torch.arange(len(classes)).repeat_interleave(counts)
    labels = labels[torch.tensor(data.draw(st.permutations(range(size))))]
    train, val = stratified_split(labels, held_out if held_out > 0 else 0.0, seed)

    assert len(val) == held_out
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(size))
    # Of all classes the same share, each rounded to whole images; what rounding adds up to falls to the larger ones.
    proportion = counts / size
    off = labels[val].bincount(minlength=len(classes)) - held_out * proportion
    assert (off.abs() <= 0.5 + 0.5 * proportion * (len(classes) - 2) + 1e-4).all()


@pytest.mark.parametrize("val_size", [1, 100, 5000, 10_000, 0.1, 0.5])
def test_split_of_mnist_is_within_one_image_of_the_exact_proportion(val_size: float) -> None:
    labels = torch.arange(10).repeat_interleave(torch.tensor(MNIST_CLASSES))
    _, val = stratified_split(labels, val_size, 0)
    exact = len(val) * torch.tensor(MNIST_CLASSES) / 60_000
    assert (labels[val].bincount(minlength=10) - exact).abs().max() < 1


def test_split_draws_from_its_seed_only() -> None:
    labels = torch.arange(200) % 10
    train, val = stratified_split(labels, 50, 0)
    torch.manual_seed(1)
    again = stratified_split(labels, 50, 0)
    assert torch.equal(train, again[0])
    assert torch.equal(val, again[1])
    assert set(val.tolist()) != set(stratified_split(labels, 50, 1)[1].tolist())


def test_a_larger_split_holds_out_the_images_of_a_smaller_one() -> None:
    labels = torch.arange(200) % 10
    small, large = (set(stratified_split(labels, size, 0)[1].tolist()) for size in (20, 50))
    assert small < large


def test_both_parts_come_in_random_order() -> None:
    for part in stratified_split(torch.arange(200) % 10, 100, 0):
        assert part.tolist() != part.sort().values.tolist()


def test_training_images_do_not_come_class_by_class_in_turn() -> None:
    labels = torch.arange(200) % 10
    train, _ = stratified_split(labels, 100, 0)
    assert labels[train[:50]].bincount(minlength=10).unique().numel() > 1


@pytest.mark.parametrize(("val_size", "held_out"), [(0, 0), (0.0, 0), (0.25, 50), (1, 1), (1.0, 1), (199, 199)])
def test_val_size_is_a_count_or_below_one_a_share(val_size: float, held_out: int) -> None:
    train, val = stratified_split(torch.arange(200) % 10, val_size, 0)
    assert (len(train), len(val)) == (200 - held_out, held_out)


@pytest.mark.parametrize("val_size", [200, 5000, 0.999])
def test_a_val_size_that_leaves_nothing_is_an_error_that_repeats_it(val_size: float) -> None:
    with pytest.raises(UsageError, match=rf"data\.val_size={val_size}"):
        stratified_split(torch.arange(200) % 10, val_size, 0)


# ---- folds


@given(st.lists(st.integers(7, 40), min_size=2, max_size=10), st.integers(2, 7), st.integers(0, 99))
def test_folds_hold_each_image_once_and_every_class_by_its_share(counts: list[int], folds: int, seed: int) -> None:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    parts = [fold_split(labels, fold, folds, seed) for fold in range(folds)]
    assert sorted(torch.cat([held_out for _, held_out in parts]).tolist()) == list(range(len(labels)))
    for train, held_out in parts:
        assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(len(labels)))
        assert abs(len(held_out) - len(labels) / folds) < 1
        off = labels[held_out].bincount(minlength=len(counts)) - torch.tensor(counts) / folds
        assert (off.abs() < 2).all()


def test_a_writer_lies_in_one_fold() -> None:
    generator = torch.Generator().manual_seed(0)
    labels, writers = (torch.randint(most, (600,), generator=generator) for most in (10, 40))
    seen = [set(writers[fold_split(labels, fold, 5, 0, writers)[1]].tolist()) for fold in range(5)]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 40
    train, held_out = fold_split(labels, 0, 5, 0, writers)
    assert not set(writers[train].tolist()) & set(writers[held_out].tolist())
    assert all(torch.equal(*pair) for pair in zip(fold_split(labels, 0, 5, 0, writers), (train, held_out), strict=True))


def test_more_folds_than_images_of_a_class_or_writers_are_one_line() -> None:
    labels = torch.tensor([0] * 9 + [1] * 3)
    with pytest.raises(UsageError, match=r"data\.folds=4: the smallest class has 3 images"):
        fold_split(labels, 0, 4, 0)
    with pytest.raises(UsageError, match=r"data\.folds=3: the images are by 2 writers"):
        fold_split(labels, 0, 3, 0, torch.arange(12) % 2)


# ---- subsets


@given(st.integers(1, 60_000), st.integers(1, 60_000))
def test_a_larger_subset_contains_a_smaller_one_and_both_hold_every_class_by_its_share(one: int, other: int) -> None:
    labels = torch.arange(10).repeat_interleave(torch.tensor(MNIST_CLASSES))
    small, large = (stratified_subset(labels, size, 3) for size in sorted((one, other)))
    assert set(small.tolist()) <= set(large.tolist())
    exact = len(large) * torch.tensor(MNIST_CLASSES) / 60_000
    assert (labels[large].bincount(minlength=10) - exact).abs().max() < 1
