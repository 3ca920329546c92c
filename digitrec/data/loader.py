"""Batches as slices of tensors that already lie on the device."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def shuffled(seed: int, epoch: int, size: int) -> Tensor:
    """Permutation (size,) of 0..size-1, a pure function of its arguments."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    return torch.randperm(size, generator=generator)


def mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers, unlike for unlike ones (splitmix64, Steele et al., 2014, OOPSLA)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state >> 1


class BatchLoader:
    """Batches of one split for one process out of `world_size`.

    Together the processes see each image exactly once per pass. In training all take the same number of steps, or
    they would wait for each other forever: the images of a step are dealt out one by one, and a last step with less
    than one image per process joins the one before. In evaluation, without synchronised steps, shares differ by one.

    Args:
        images: (N, C, H, W) uint8.
        labels: (N,) int64.
        batch_size: images per batch and process.
        order: permutation (N,) for the pass that starts now; None keeps the images in their order.
        rank: this process, 0 to world_size - 1.
        world_size: number of processes.
        begin: batches of this pass that a resumed training has already done.

    Raises:
        ValueError: there is not one image per process.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        order: Callable[[], Tensor] | None = None,
        rank: int = 0,
        world_size: int = 1,
        begin: Callable[[], int] = lambda: 0,
    ) -> None:
        if len(images) < world_size:
            raise ValueError(f"{len(images)} images can't be dealt out to {world_size} processes")
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.order = order
        self.rank = rank
        self.world_size = world_size
        self.begin = begin

    def __len__(self) -> int:
        """Number of batches of this process."""
        size, step = len(self.images), self.batch_size * self.world_size
        if self.order is None:
            return -(-len(range(self.rank, size, self.world_size)) // self.batch_size)
        whole, rest = divmod(size, step)
        return whole + (rest >= self.world_size or whole == 0)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of images (B, C, H, W) uint8 and labels (B,)."""
        return self._evaluation() if self.order is None else self._training(self.order)

    def _training(self, draw: Callable[[], Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        # Called at the first batch: when Lightning calls `iter`, a resumed run has no position yet.
        order = draw().to(self.images.device)
        step = self.batch_size * self.world_size
        last = len(self) - 1
        for index in range(self.begin(), last + 1):
            stop = None if index == last else (index + 1) * step
            mine = order[index * step : stop][self.rank :: self.world_size]
            # index_select copies whole images, where [mine] would copy them pixel by pixel.
            yield self.images.index_select(0, mine), self.labels.index_select(0, mine)

    def _evaluation(self) -> Iterator[tuple[Tensor, Tensor]]:
        images = self.images[self.rank :: self.world_size]
        labels = self.labels[self.rank :: self.world_size]
        yield from zip(images.split(self.batch_size), labels.split(self.batch_size), strict=True)
