from collections.abc import Callable

import pytest
import torch

from digitrec.evaluation.comparison import paired_test
from digitrec.evaluation.evaluate import by_writer
from digitrec.evaluation.evaluation import Evaluation, Insight, Robustness
from digitrec.evaluation.metrics import summarise
from digitrec.evaluation.predictions import Predictions

IMAGES = 400
MakeEvaluation = Callable[..., Evaluation]


@pytest.fixture(scope="session")
def make_evaluation() -> MakeEvaluation:
    """Evaluates noise: `skill` is how much the label stands out, `bare` leaves out what may be missing."""

    def make(class_names: tuple[str, ...] = tuple("0123456789"), skill: float = 5.0, bare: bool = False) -> Evaluation:
        draw, count = torch.Generator().manual_seed(0), len(class_names)
        labels = torch.arange(IMAGES) % count
        logits = torch.randn(IMAGES, count, generator=draw)
        other = Predictions(labels, logits.softmax(dim=1), class_names)
        logits[torch.arange(IMAGES), labels] += skill
        writers = None if bare else torch.arange(IMAGES) // 30
        predictions = Predictions(labels, logits.softmax(dim=1), class_names, writers)
        images = torch.randint(0, 256, (IMAGES, 1, 28, 28), generator=draw, dtype=torch.uint8)
        metrics = {**summarise(predictions.probabilities, labels, class_names), **by_writer(predictions)}
        comparison = paired_test(predictions.correct, "<b>MLP</b>", other.correct)
        return Evaluation(
            title="CNN on <noise>",
            facts={"Checkpoint": 'a "quoted" & <odd> path.ckpt'},
            images=images,
            predictions=predictions,
            metrics=metrics,
            class_counts={"train": torch.bincount(labels, minlength=count), "test": torch.arange(count)},
            history=[] if bare else [{"epoch": 1.0, "train/loss": 0.5, "val/loss": 0.4, "val/accuracy": 0.9}] * 3,
            robustness=[]
            if bare
            else [
                Robustness("rotation", "degrees", (10, 20, 40), (0.9, 0.8, 0.1), 0.97),
                Robustness("contrast", "percent lost", (20, 70), (0.9, 0.5), 0.97),
            ],
            insight=Insight(
                normalised=(images[:10].float() / 255 - 0.13) / 0.3,
                filters=None if bare else torch.randn(20, 1, 5, 5, generator=draw),
                attributed=torch.arange(0 if bare else 6),
                attributions=torch.randn(0 if bare else 6, 1, 28, 28, generator=draw),
                embedded=torch.arange(0, IMAGES, 2),
                features=torch.randn(IMAGES // 2, 8, generator=draw),
                embedding=torch.randn(IMAGES // 2, 2, generator=draw),
            ),
            comparison=None if bare else comparison,
        )

    return make
