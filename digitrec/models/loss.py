"""Cross-entropy for images that show no digit, for mixed images and for weighted classes."""

import torch
from torch import Tensor

from digitrec.data.labels import NO_DIGIT


def weighted_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    mixed: tuple[Tensor, Tensor] | None = None,
    *,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy (), each image weighted as its class is.

    Where the label is `NO_DIGIT` the target is the same for every class. That teaches low confidence for what was never
    seen (outlier exposure: Hendrycks, Mazeika and Dietterich, 2019).

    Args:
        logits: (B, C).
        labels: (B,) int64.
        mixed: labels (B,) of the images that were mixed in, and the share (B,) in [0, 1] that each image kept.
        label_smoothing: share of the target spread evenly over all classes.
        class_weights: (C,); an image of no digit has weight 1.
    """
    logs = logits.log_softmax(dim=1)
    losses, weights = _losses(logs, labels, label_smoothing), _weights(labels, class_weights)
    if mixed is not None:
        others, share = mixed
        losses = torch.lerp(_losses(logs, others, label_smoothing), losses, share)
        weights = torch.lerp(_weights(others, class_weights), weights, share)
    return losses.mean() if class_weights is None else (losses * weights).sum() / weights.sum()


def _losses(logs: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    of_labels = logs.gather(1, labels.clamp(min=0)[:, None])[:, 0]
    smoothing = torch.where(labels == NO_DIGIT, 1.0, label_smoothing)
    return -torch.lerp(of_labels, logs.mean(dim=1), smoothing)


def _weights(labels: Tensor, class_weights: Tensor | None) -> Tensor:
    if class_weights is None:
        return torch.ones(len(labels), device=labels.device)
    return torch.where(labels == NO_DIGIT, 1.0, class_weights[labels.clamp(min=0)])
