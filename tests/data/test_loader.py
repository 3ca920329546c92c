import itertools

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from digitrec.data.loader import BatchLoader, mix, shuffled

Batches = list[tuple[Tensor, Tensor]]

worlds = st.integers(1, 4)
sizes = st.integers(4, 200)
batch_sizes = st.integers(1, 40)
numbers = st.integers(0, 2**63 - 1)


def read(size: int, batch_size: int, world: int, *, train: bool) -> list[Batches]:
    """One pass of every rank over images whose pixels are their index, as are their labels."""
    index = torch.arange(size)
    passes = []
    for rank in range(world):
        order = (lambda: shuffled(0, 0, size)) if train else None
        loader = BatchLoader(index.byte().view(-1, 1, 1, 1), index, batch_size, order, rank, world)
        passes.append(list(loader))
        assert len(loader) == len(passes[-1])
    return passes


def labels_of(batches: Batches) -> list[int]:
    return torch.cat([labels for _, labels in batches]).tolist()


@given(sizes, batch_sizes, worlds, st.booleans())
@example(5, 8, 1, True)  # fewer images than one batch
@example(5, 8, 4, True)  # fewer than one step
@example(25, 8, 1, True)  # a last batch of one
@example(2 * 8 * 4 + 3, 8, 4, True)  # a rest of less than one image per process
@example(2 * 8 * 4 + 3, 8, 4, False)
def test_one_pass_of_all_ranks_sees_each_image_once(size: int, batch_size: int, world: int, train: bool) -> None:
    seen = [label for batches in read(size, batch_size, world, train=train) for label in labels_of(batches)]
    assert sorted(seen) == list(range(size))


@given(sizes, batch_sizes, worlds, st.booleans())
def test_labels_stay_with_their_images(size: int, batch_size: int, world: int, train: bool) -> None:
    for images, labels in itertools.chain(*read(size, batch_size, world, train=train)):
        assert images.shape == (len(labels), 1, 1, 1)
        assert images.dtype == torch.uint8
        assert torch.equal(images.flatten().long(), labels)


@given(sizes, batch_sizes, worlds)
@example(2 * 8 * 4 + 3, 8, 4)
def test_in_training_all_ranks_take_the_same_number_of_fair_steps(size: int, batch_size: int, world: int) -> None:
    for step in zip(*read(size, batch_size, world, train=True), strict=True):
        shares = [len(labels) for _, labels in step]
        assert 1 <= min(shares) <= max(shares) <= min(shares) + 1
        assert max(shares) <= batch_size + (world > 1)


@given(sizes, batch_sizes, worlds)
def test_only_the_last_training_step_may_be_short(size: int, batch_size: int, world: int) -> None:
    for batches in read(size, batch_size, world, train=True):
        assert {len(labels) for _, labels in batches[:-1]} <= {batch_size}


@given(sizes, batch_sizes, worlds)
def test_evaluation_keeps_the_order_and_deals_fair_shares(size: int, batch_size: int, world: int) -> None:
    ranks = read(size, batch_size, world, train=False)
    assert [labels_of(batches) for batches in ranks] == [list(range(rank, size, world)) for rank in range(world)]
    assert all(1 <= len(labels) <= batch_size for batches in ranks for _, labels in batches)


def test_training_follows_the_order_of_the_pass_that_starts() -> None:
    orders = iter([[2, 0, 1], [1, 2, 0]])
    loader = BatchLoader(torch.zeros(3, 1, 1, 1).byte(), torch.arange(3), 2, lambda: torch.tensor(next(orders)))
    assert [labels_of(list(loader)) for _ in range(2)] == [[2, 0, 1], [1, 2, 0]]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(("size", "world"), [(0, 1), (1, 2), (3, 4)])
def test_no_process_may_go_empty_handed(size: int, world: int, train: bool) -> None:
    with pytest.raises(ValueError, match=f"{size} images .* {world} processes"):
        read(size, 8, world, train=train)


@given(numbers, numbers, sizes)
def test_order_is_a_pure_permutation(seed: int, epoch: int, size: int) -> None:
    before = torch.get_rng_state()
    order = shuffled(seed, epoch, size)
    assert sorted(order.tolist()) == list(range(size))
    assert torch.equal(order, shuffled(seed, epoch, size))
    assert torch.equal(torch.get_rng_state(), before)


def test_every_seed_and_epoch_has_an_order_of_its_own() -> None:
    orders = {tuple(shuffled(seed, epoch, 50).tolist()) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


@given(st.lists(numbers, max_size=4), st.lists(numbers, max_size=4))
@example([1, 0], [0, 1])
@example([1], [1, 0])
@example([0], [0, 0])
def test_mix_gives_unlike_numbers_unlike_seeds_that_torch_takes(some: list[int], others: list[int]) -> None:
    assert (mix(*some) == mix(*others)) == (some == others)
    assert 0 <= mix(*some) < 2**63


def test_mix_changes_half_of_the_bits_between_neighbours() -> None:
    """What makes streams of neighbouring steps look unrelated."""
    changed = [(mix(7, step) ^ mix(7, step + 1)).bit_count() for step in range(1000)]
    assert 31 <= sum(changed) / len(changed) <= 32
