"""What TensorBoard shows of an evaluation: its pictures, precision-recall curves and the projector."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from digitrec.evaluation.evaluation import Evaluation


def write_events(evaluation: Evaluation, figures: Path, folder: Path) -> None:
    """Add to the events in a folder.

    Args:
        evaluation: what was found.
        figures: folder of the PNG files that a report has drawn.
        folder: a run's folder, as `tensorboard --logdir` takes it.
    """
    predictions, insight = evaluation.predictions, evaluation.insight
    with SummaryWriter(str(folder)) as writer:
        for picture in sorted(figures.glob("*.png")):
            pixels = np.asarray(Image.open(picture).convert("RGB"))
            writer.add_image(f"report/{picture.stem}", pixels, dataformats="HWC")
        for index, name in enumerate(predictions.class_names):
            writer.add_pr_curve(
                f"precision_recall/{name}", predictions.labels == index, predictions.probabilities[:, index]
            )
        labels = [predictions.class_names[label] for label in predictions.labels[insight.embedded]]
        sprites = 1 - evaluation.images[insight.embedded].float() / 255  # ink on paper, readable on the white page
        writer.add_embedding(insight.features, labels, sprites.expand(-1, 3, -1, -1), tag="features")
