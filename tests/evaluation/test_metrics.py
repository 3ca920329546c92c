import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from digitrec.evaluation import metrics
from digitrec.evaluation.comparison import difference_interval, paired_test
from tests.networks import stage_metrics

NAMES = ("zero", "one", "two", "three", "four")
N, C = 300, len(NAMES)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def labels() -> Tensor:
    """No image is a four."""
    return torch.randint(C - 1, (N,), generator=seeded(0))


@pytest.fixture
def logits(labels: Tensor) -> Tensor:
    """Often right, and never a three."""
    raw = 2 * torch.randn(N, C, generator=seeded(1)) + 3 * torch.eye(C)[labels]
    return raw - 30 * torch.eye(C)[3]


@pytest.fixture
def probabilities(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1)


@pytest.fixture
def predictions(logits: Tensor) -> Tensor:
    return logits.argmax(dim=1)


@pytest.mark.parametrize("confidence", [0.3, 0.8, 0.95, 0.999])
def test_wilson_interval_ends_exactly_at_none_and_all(confidence: float) -> None:
    for trials in range(1, 400):
        assert metrics.wilson_interval(0, trials, confidence)[0] == 0
        assert metrics.wilson_interval(trials, trials, confidence)[1] == 1


def test_top_1_accuracy_is_accuracy_among_equals_too() -> None:
    equal, labels = torch.full((10, 10), 0.1), torch.arange(10)
    assert [metrics.top_k_accuracy(equal, labels, k) for k in (1, 2, 10)] == [0.1, 0.2, 1.0]


def test_log_loss_is_the_cross_entropy_far_down_too(logits: Tensor, labels: Tensor) -> None:
    steep = logits.where(torch.eye(C)[labels] == 0, logits - 60)
    for some in (logits, steep.clamp(min=-70)):
        expected = torch.nn.functional.cross_entropy(some.double(), labels).item()
        assert metrics.log_loss(some.softmax(dim=1), labels) == pytest.approx(expected, rel=1e-5)


def test_log_loss_of_the_impossible_is_finite() -> None:
    certain = torch.tensor([[1.0, 0.0]])
    assert metrics.log_loss(certain, torch.tensor([1])) == pytest.approx(126 * math.log(2))
    assert metrics.log_loss(certain, torch.tensor([0])) == 0


@pytest.mark.parametrize(("predicted", "expected"), [(2, 1.0), (3, 0.0)])
def test_r2_of_a_single_image_says_whether_it_is_right(predicted: int, expected: float) -> None:
    assert metrics.r2_score(torch.tensor([2]), torch.tensor([predicted])) == expected


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
def test_reliability_is_guos_definition(probabilities: Tensor, labels: Tensor, bins: int) -> None:
    found = metrics.reliability(probabilities, labels, bins)
    confidence, predicted = (column.tolist() for column in probabilities.double().max(dim=1))
    rows = list(zip(confidence, predicted, labels.tolist(), strict=True))
    error = 0.0
    for place in range(bins):
        members = [row for row in rows if place / bins < row[0] <= (place + 1) / bins]
        assert found.count[place] == len(members)
        if members:
            mean = sum(row[0] for row in members) / len(members)
            right = sum(row[1] == row[2] for row in members) / len(members)
            assert (found.confidence[place], found.accuracy[place]) == pytest.approx((mean, right))
            error += len(members) / N * abs(mean - right)
        else:
            assert found.confidence[place] == found.accuracy[place] == 0
    assert metrics.calibration_error(found) == pytest.approx(error)


def test_reliability_puts_an_edge_into_the_lower_bin_and_certainty_into_the_last() -> None:
    edges = torch.tensor([[0.5, 0.5], [0.75, 0.25], [0.0, 1.0]])
    assert metrics.reliability(edges, torch.tensor([0, 0, 1]), bins=4).count.tolist() == [0, 1, 1, 1]


def test_calibration_error_is_0_when_confidence_tells_the_accuracy() -> None:
    probabilities = torch.tensor([[0.75, 0.25]]).expand(100, 2)
    labels = (torch.arange(100) % 4 == 3).long()
    assert metrics.calibration_error(metrics.reliability(probabilities, labels)) == pytest.approx(0)
    assert metrics.calibration_error(metrics.reliability(probabilities, 1 - labels)) == pytest.approx(0.5)


def pair(only_a: int, only_b: int, both: int = 5, neither: int = 2) -> tuple[Tensor, str, Tensor]:
    """Arguments of `paired_test`."""
    counts = torch.tensor([only_a, only_b, both, neither])
    return (
        torch.tensor([True, False, True, False]).repeat_interleave(counts),
        "other",
        torch.tensor([False, True, True, False]).repeat_interleave(counts),
    )


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"), [(0, 0, 1), (1, 0, 1), (7, 7, 1), (0, 6, 2 / 2**6), (1, 9, 22 / 2**10)]
)
def test_mcnemar_counts_both_tails_of_fair_coins(only_a: int, only_b: int, p_value: float) -> None:
    for one, other in ((only_a, only_b), (only_b, only_a)):
        found = paired_test(*pair(one, other)).test
        assert (found.only_a, found.only_b) == (one, other)
        assert found.p_value == pytest.approx(p_value)


def test_difference_interval_turns_round_with_the_classifiers() -> None:
    difference, low, high = paired_test(*pair(30, 12, both=900)).difference
    assert difference == pytest.approx(18 / 944)
    assert paired_test(*pair(12, 30, both=900)).difference == pytest.approx((-difference, -high, -low))


@pytest.mark.parametrize("size", [1, 2, 10, 10000])
def test_difference_interval_holds_the_difference_and_stays_possible(size: int) -> None:
    for only_a in {0, size // 2, size}:
        for only_b in {0, (size - only_a) // 2, size - only_a}:
            found = paired_test(*pair(only_a, only_b, both=0, neither=size - only_a - only_b))
            difference, low, high = found.difference
            assert -1 <= low <= difference <= high <= 1
            assert low < high


@pytest.mark.parametrize(("share_a", "share_b"), [(0.008, 0.003), (0.02, 0.02), (0.3, 0.1)])
def test_difference_interval_covers_the_true_difference_in_95_of_100(share_a: float, share_b: float) -> None:
    """Measured with this seed: 97.3, 95.7 and 94.6 % of 3,000 made test sets; 4 standard deviations are 1.6 %."""
    draws = torch.rand(3000, 500, generator=seeded(5))
    covered = 0
    for row in draws:
        only_a, only_b = int((row < share_a).sum()), int((row > 1 - share_b).sum())
        low, high = difference_interval(only_a, only_b, len(row))
        covered += low <= share_a - share_b <= high
    assert 0.934 < covered / len(draws) < 0.99


def test_summary_is_what_training_counts(probabilities: Tensor, predictions: Tensor, labels: Tensor) -> None:
    stage = stage_metrics("test", C)
    loss = torch.nn.functional.nll_loss(probabilities.log(), labels)
    stage.update(loss, predictions, labels, weight=N)
    counted = {name.removeprefix("test/"): value.item() for name, value in stage.compute(NAMES).items()}
    found = metrics.summarise(probabilities, labels, NAMES)
    assert {name: found[name] for name in counted} == pytest.approx(counted, rel=1e-4)


def test_summary_leaves_a_class_out_of_the_means_that_nobody_named() -> None:
    labels, predictions = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    found = metrics.summarise(torch.eye(3)[predictions], labels, ("a", "b", "c"))
    assert found["f1"] == pytest.approx(sk.f1_score(labels, predictions, average="macro"))
    assert found["f1_c"] == 0


def test_summary_names_every_number_once(probabilities: Tensor, labels: Tensor) -> None:
    found = metrics.summarise(probabilities, labels, NAMES)
    whole = {"accuracy", "accuracy_low", "accuracy_high", "loss", "top2_accuracy", "r2", "calibration_error"}
    whole |= {"balanced_accuracy", "worst_class_accuracy"}
    scores = ("precision", "recall", "f1")
    assert set(found) == whole | set(scores) | {f"{score}_{name}" for score in scores for name in NAMES}
    assert all(type(value) is float and math.isfinite(value) for value in found.values())
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert found["accuracy"] < found["top2_accuracy"]
    assert (found["accuracy_low"], found["accuracy_high"]) == metrics.wilson_interval(round(found["accuracy"] * N), N)


def test_summary_of_perfect_predictions() -> None:
    labels = torch.arange(20) % 2
    found = metrics.summarise(torch.eye(2)[labels], labels, ("no", "yes"))
    low = found.pop("accuracy_low")
    assert low == metrics.wilson_interval(20, 20)[0]
    assert {name for name, value in found.items() if value != 1} == {"loss", "calibration_error"}
    assert found["loss"] == found["calibration_error"] == 0


ones = torch.ones
zeros = torch.zeros(4, dtype=torch.int64)
fair = ones(4, 2) / 2
summarise = partial(metrics.summarise, class_names=("no", "yes"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: summarise(fair, zeros[:3]), r"\(4, 2\) and \(3,\)"),
        (lambda: summarise(fair[:0], zeros[:0]), r"\(0, 2\) and \(0,\)"),
        (lambda: summarise(fair[0], zeros[:2]), r"\(2,\) and \(2,\)"),
        (lambda: summarise(fair, zeros + 2), "labels from 0 to 1, got some from 2 to 2"),
        (lambda: summarise(2 * fair, zeros), "sums from 2 to 2"),
        (lambda: summarise(torch.tensor([[1.5, -0.5]]), zeros[:1]), "smallest value of -0.5"),
        (lambda: summarise(fair * math.nan, zeros), "sums from nan to nan"),
        (lambda: paired_test(ones(3) > 0, "other", ones(2) > 0), r"\(3,\) and \(2,\)"),
        (lambda: paired_test(ones(0) > 0, "other", ones(0) > 0), r"\(0,\) and \(0,\)"),
        (lambda: metrics.summarise(fair, zeros, ("one",)), "got 1 names and 2 classes"),
        (lambda: metrics.summarise(ones(4, 1), zeros, ("one",)), "at least 2 classes, got 1 names"),
    ],
)
def test_impossible_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
