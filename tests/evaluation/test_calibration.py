"""Temperature, thresholds and prediction sets, on a small network's predictions of the digits of scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from digitrec.errors import UsageError
from digitrec.evaluation.calibration import (
    LOWEST,
    brier_score,
    conformal_quantile,
    divide_logits,
    fit_temperature,
    prediction_sets,
    risk_threshold,
)
from digitrec.evaluation.metrics import log_loss
from digitrec.models.classifier import DigitClassifier
from digitrec.models.cnn import CNN
from digitrec.models.mlp import MLP

SEEN = 300  # images; the other 1,497 are held out
SPLITS, COVERAGE = 20, 0.9


@pytest.fixture(scope="module")
def held_out() -> tuple[Tensor, Tensor]:
    """Probabilities (N, 10) and labels (N,) of images that the network was not trained on; it is too sure of them."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order], labels[order]
    network = LogisticRegression(C=10.0, max_iter=200).fit(images[:SEEN], labels[:SEEN])
    return torch.tensor(network.predict_proba(images[SEEN:])).float(), torch.tensor(labels[SEEN:])


def parted(count: int, seed: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[: count // 2], order[count // 2 :]


def test_sets_hold_the_label_as_often_as_promised(held_out: tuple[Tensor, Tensor]) -> None:
    probabilities, labels = held_out
    covered = []
    for seed in range(SPLITS):
        seen, new = parted(len(labels), seed)
        quantile = conformal_quantile(probabilities[seen], labels[seen], COVERAGE)
        sets = prediction_sets(probabilities[new], quantile)
        covered.append(sets.gather(1, labels[new][:, None]).double().mean().item())
    # The quantile is drawn as well, from as many images: the variance is that of half of them.
    half = len(labels) // 4
    low, high = binom.interval(0.999, half, COVERAGE)
    assert low / half <= min(covered) <= max(covered) <= high / half
    assert abs(np.mean(covered) - COVERAGE) < 0.01


def test_the_rank_is_that_of_one_more_image() -> None:
    scores = torch.arange(1, 10) / 10  # of nine images
    probabilities, labels = torch.stack([1 - scores, scores], dim=1), torch.zeros(9)
    for coverage, expected in ((0.9, 0.9), (0.8, 0.8), (0.55, 0.6)):
        assert conformal_quantile(probabilities, labels, coverage) == pytest.approx(expected)
    with pytest.raises(UsageError, match=r"--coverage 0\.91: needs 11 images held out, there are 9"):
        conformal_quantile(probabilities, labels, 0.91)


@pytest.mark.parametrize("seed", range(3))
def test_temperature_lowers_the_loss_and_leaves_every_argmax(seed: int, held_out: tuple[Tensor, Tensor]) -> None:
    probabilities, labels = held_out
    fitted, _ = parted(len(labels), seed)
    temperature = fit_temperature(probabilities[fitted], labels[fitted])
    scaled = (probabilities.double().log() / temperature).softmax(dim=1)
    assert scaled.argmax(dim=1).equal(probabilities.argmax(dim=1))
    before, after = (log_loss(found[fitted], labels[fitted]) for found in (probabilities.double(), scaled))
    assert after < before
    for other in (0.99 * temperature, 1.01 * temperature):
        nearby = (probabilities.double().log() / other).softmax(dim=1)
        assert log_loss(nearby[fitted], labels[fitted]) > after


def test_probabilities_that_are_right_stay() -> None:
    probabilities = torch.tensor([[0.75, 0.25]] * 4)
    assert fit_temperature(probabilities, torch.tensor([0, 0, 0, 1])) == pytest.approx(1, abs=1e-3)


def test_without_a_mistake_the_temperature_stops_at_its_bound() -> None:
    assert fit_temperature(torch.tensor([[0.75, 0.25]] * 4), torch.zeros(4)) == pytest.approx(LOWEST, rel=1e-3)


@pytest.mark.parametrize("model", [MLP(hidden=[8]), CNN(filters=[4, 4], hidden=8)], ids=["mlp", "cnn"])
def test_the_last_layer_divides_the_logits(model: DigitClassifier) -> None:
    images = torch.rand(5, 1, 28, 28)
    with torch.inference_mode():
        before = model.eval()(images)
        divide_logits(model, 2.5, images)
        assert model(images).allclose(before / 2.5, atol=1e-5)


def test_a_network_whose_last_dense_layer_gives_no_logits_is_refused() -> None:
    class Sharp(MLP):
        def forward(self, images: Tensor) -> Tensor:
            return 9 * nn.functional.normalize(super().forward(images))

    with pytest.raises(UsageError, match="does not give its logits"):
        divide_logits(Sharp(hidden=[8]).eval(), 2.0, torch.rand(5, 1, 28, 28))


def test_a_promised_risk_holds_on_new_images() -> None:
    """Mistakes as frequent as images are uncertain; one in twenty draws may break the promise."""
    broken, accepted = 0, []
    for seed in range(50):
        drawn = np.random.default_rng(seed)
        certainties = drawn.random(4000) ** 0.1
        threshold = risk_threshold(certainties, drawn.random(4000) < certainties, 0.05)
        new = drawn.random(40_000) ** 0.1
        new = new[new >= threshold]
        broken += float((1 - new).mean()) > 0.05
        accepted.append(len(new) / 40_000)
    assert broken <= 2
    assert np.mean(accepted) > 0.5


def test_too_few_images_promise_nothing() -> None:
    with pytest.raises(UsageError, match=r"0 of them read wrong, no less than 0\.0\d+ can be promised"):
        risk_threshold(np.linspace(0.5, 1, 100), np.ones(100, bool), 0.001)


def test_brier_score_is_that_of_scikit_learn(held_out: tuple[Tensor, Tensor]) -> None:
    from sklearn.metrics import brier_score_loss

    probabilities, labels = held_out
    given = (probabilities.double() / probabilities.double().sum(dim=1, keepdim=True)).numpy()
    expected = brier_score_loss(labels.numpy(), given, scale_by_half=False)
    assert brier_score(probabilities, labels) == pytest.approx(expected, abs=1e-6)
