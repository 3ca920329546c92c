"""Laws of the training loss."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from digitrec.data.labels import NO_DIGIT
from digitrec.models.loss import weighted_cross_entropy

WEIGHTS = torch.arange(1, 11) / 5


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(8, 10, generator=torch.Generator().manual_seed(0))


LABELS, OTHERS = torch.tensor([1, 2, 3, 3, 5, 0, 9, 9]), torch.tensor([4, 2, 0, 1, 1, 1, 7, 8])


def soft(labels: Tensor) -> Tensor:
    """Target distributions (B, 10)."""
    return torch.where(labels[:, None] == NO_DIGIT, torch.full((1, 10), 0.1), torch.eye(10)[labels.clamp(min=0)])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("labels", [LABELS, torch.where(LABELS == 9, NO_DIGIT, LABELS)], ids=["digits", "no digits"])
def test_mixed_images_have_the_loss_of_their_mixed_targets(smoothing: float, labels: Tensor, logits: Tensor) -> None:
    share = torch.linspace(0.5, 1, 8)
    targets = torch.lerp(soft(OTHERS), soft(labels), share[:, None])
    mixed = weighted_cross_entropy(logits, labels, (OTHERS, share), label_smoothing=smoothing)
    expected = F.cross_entropy(logits, targets, label_smoothing=smoothing)
    torch.testing.assert_close(mixed, expected)


def test_weights_of_classes_are_those_of_torch(logits: Tensor) -> None:
    ours = weighted_cross_entropy(logits, LABELS, class_weights=WEIGHTS)
    torch.testing.assert_close(ours, F.cross_entropy(logits, LABELS, weight=WEIGHTS))


def test_an_image_of_no_digit_has_weight_one(logits: Tensor) -> None:
    labels = torch.where(LABELS == 9, NO_DIGIT, LABELS)
    each = F.cross_entropy(logits, soft(labels), reduction="none")
    weights = torch.where(labels == NO_DIGIT, 1.0, WEIGHTS[labels.clamp(min=0)])
    ours = weighted_cross_entropy(logits, labels, class_weights=WEIGHTS)
    torch.testing.assert_close(ours, (each * weights).sum() / weights.sum())


def test_unmixed_images_have_the_loss_of_their_labels(logits: Tensor) -> None:
    for weights in (None, WEIGHTS):
        alone = weighted_cross_entropy(logits, LABELS, class_weights=weights)
        mixed = weighted_cross_entropy(logits, LABELS, (OTHERS, torch.ones(8)), class_weights=weights)
        torch.testing.assert_close(mixed, alone)
