"""Inspection of a classifier: first filters, attributions, embedding of features."""

import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor, nn

from digitrec.evaluation.evaluation import Insight
from digitrec.evaluation.predictions import Predictions, evenly
from digitrec.models.classifier import DigitClassifier, last_dense
from digitrec.weights import BATCH

SHOWN, EXPLAINED, EMBEDDED = 10, 12, 1500  # images, as many as the figures have room for
MIN_POINTS = 5  # different ones, or a layout means nothing


def look_inside(classifier: DigitClassifier, images: Tensor, predictions: Predictions) -> Insight:
    """The part of a report that inspects the network.

    Args:
        classifier: in evaluation mode.
        images: (N, 1, H, W) uint8, the split that `predictions` are of.
        predictions: of these images.
    """
    explained = _to_explain(predictions)
    embedded = evenly(len(images), EMBEDDED)
    deep = features(classifier, images[embedded])
    device = classifier.device
    return Insight(
        normalised=classifier.normalise(images[:SHOWN].to(device)).cpu(),
        filters=first_filters(classifier),
        attributed=explained,
        attributions=integrated_gradients(
            classifier, images[explained].to(device), predictions.predicted[explained].to(device)
        ).cpu(),
        embedded=embedded,
        features=deep,
        embedding=embed(deep),
    )


def first_filters(classifier: DigitClassifier) -> Tensor | None:
    """Weights of the first layer as small images, (F, C, h, w); None if it is neither convolution nor whole-image."""
    side, channels = classifier.hparams["image_size"], classifier.hparams["in_channels"]
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.weight.detach().float().cpu()
        if isinstance(layer, nn.Linear):
            whole = layer.in_features == channels * side * side
            return layer.weight.detach().float().cpu().view(-1, channels, side, side) if whole else None
    return None


def integrated_gradients(classifier: nn.Module, images: Tensor, classes: Tensor, steps: int = 32) -> Tensor:
    """How much each pixel adds to a class's logit, on the way from an empty picture (Sundararajan et al., 2017, eq. 1).

    Args:
        classifier: images -> logits.
        images: (A, C, H, W), uint8 or float in [0, 1].
        classes: (A,) int64, one class per image.
        steps: points on the way; the middle of each interval is taken.

    Returns:
        (A, C, H, W) float; summed over an image, the logit's difference between it and an empty picture.
    """
    images = images.float() / 255 if images.dtype == torch.uint8 else images
    total = torch.zeros_like(images)
    for step in range(steps):
        point = (images * ((step + 0.5) / steps)).requires_grad_()
        logits = classifier(point).gather(1, classes[:, None]).sum()
        (gradient,) = torch.autograd.grad(logits, point)
        total += gradient
    return images * total / steps


def features(classifier: DigitClassifier, images: Tensor) -> Tensor:
    """Inputs (N, D) of the last dense layer for images (N, C, H, W); the logits if it is not the output layer."""
    _, last = last_dense(classifier)
    if last and last.out_features != len(classifier.class_names):
        last = None
    kept: list[Tensor] = []
    handle = last.register_forward_pre_hook(lambda layer, inputs: kept.append(inputs[0].flatten(1))) if last else None
    try:
        with torch.inference_mode():
            logits = [classifier(part.to(classifier.device)) for part in images.split(BATCH)]
    finally:
        if handle:
            handle.remove()
    return torch.cat(kept or logits).float().cpu()


def embed(points: Tensor, seed: int = 0) -> Tensor:
    """Lay points (N, D) out in the plane, (N, 2), neighbours beside each other (t-SNE; van der Maaten, Hinton 2008)."""
    if not points.isfinite().all() or len(points.unique(dim=0)) < MIN_POINTS:
        return torch.zeros(len(points), 2)  # a collapsed network, on which t-SNE crashes the process
    if points.shape[1] == 1:
        return torch.cat([points, torch.zeros_like(points)], dim=1)
    narrow = min(30, *points.shape)
    reduced = PCA(narrow, random_state=seed).fit_transform(points.numpy()) if points.shape[1] > narrow else points
    perplexity = min(30.0, max(1.0, (len(points) - 1) / 3))
    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return torch.as_tensor(plane, dtype=torch.float32)


def _to_explain(predictions: Predictions) -> Tensor:
    """The worst errors, at most half of what is shown, then the first image of each class."""
    worst = predictions.mistakes[: EXPLAINED // 2]
    firsts = torch.stack([(predictions.labels == label).nonzero()[0, 0] for label in predictions.labels.unique()])
    return torch.cat([worst, firsts[~torch.isin(firsts, worst)]])[:EXPLAINED]
