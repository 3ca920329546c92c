"""Which images of a data set are held out, stratified: every part has its share of each class."""

import torch
from torch import Tensor

from digitrec.errors import UsageError

Indices = tuple[Tensor, Tensor]


def stratified_split(labels: Tensor, val_size: float, seed: int) -> Indices:
    """Indices of training images in random order, and of validation images, classes in the same proportion.

    Args:
        labels: (N,) int64.
        val_size: number of validation images, or below 1 their share.
        seed: draws them.

    Raises:
        UsageError: no image would be left to train on.
    """
    size = len(labels)
    held_out = round(val_size * size) if val_size < 1 else int(val_size)
    if held_out >= size:
        raise UsageError(f"data.val_size={val_size}: the data set has {size} training images; hold out fewer")
    return _parted(labels, 0, held_out, seed)


def fold_split(labels: Tensor, fold: int, folds: int, seed: int, groups: Tensor | None = None) -> Indices:
    """Indices of training images in random order, and of the images of one fold out of `folds`.

    Together the folds hold each image once, and each fold its share of every class.

    Args:
        labels: (N,) int64.
        fold: 0 to folds - 1.
        folds: at least 2.
        seed: draws the folds.
        groups: (N,) int64, such as writers; all images of a group lie in one fold, and shares hold as far as they can.

    Raises:
        UsageError: a class has fewer images than there are folds, or there are fewer groups.
    """
    fewest = int(labels.bincount()[labels.unique()].min())
    if folds > fewest:
        raise UsageError(f"data.folds={folds}: the smallest class has {fewest} images; use at most {fewest} folds")
    if groups is None:
        first, end = (len(labels) * k // folds for k in (fold, fold + 1))
        return _parted(labels, first, end, seed)
    if folds > (count := len(groups.unique())):
        raise UsageError(f"data.folds={folds}: the images are by {count} writers; use at most {count} folds")
    from sklearn.model_selection import StratifiedGroupKFold

    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    train, held_out = (torch.from_numpy(part) for part in list(parts)[fold])
    return train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))], held_out


def stratified_subset(labels: Tensor, size: int, seed: int) -> Tensor:
    """Indices of `size` images, classes in the same proportion; a larger subset contains every smaller one."""
    return _parted(labels, 0, size, seed)[1]


def _parted(labels: Tensor, first: int, end: int, seed: int) -> Indices:
    """Indices of all images but `first` to `end` of a stratified order, shuffled, and of these."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    # Within its class, image k of n stands at (k + 1/2) / n; neighbours in this order are a fair share of each class.
    shuffled = labels[order]
    by_class, counts = shuffled.argsort(stable=True), labels.bincount()
    start, total = (values[shuffled[by_class]] for values in (counts.cumsum(0) - counts, counts))
    position = torch.empty(len(labels), dtype=torch.float64)
    position[by_class] = ((torch.arange(len(labels)) - start).double() + 0.5) / total
    by_position = order[position.argsort(stable=True)]
    rest = torch.cat([by_position[:first], by_position[end:]])
    return rest[torch.randperm(len(rest), generator=generator)], by_position[first:end]
