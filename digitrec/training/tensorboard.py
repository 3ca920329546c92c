"""What TensorBoard shows beyond curves: the configuration as text, and a filled HParams tab."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from lightning import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from torch.utils.tensorboard.summary import hparams


def log_config(loggers: Sequence[Logger], settings: Mapping[str, Any]) -> None:
    """Write the composed configuration, as yaml, to the Text tab, and what a person says about the run."""
    text = yaml.safe_dump(dict(settings), sort_keys=False)
    texts = {
        "config": f"```yaml\n{text}\n```",
        "tags": ", ".join(settings.get("tags", ())),
        "note": settings.get("note"),
    }
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            for name, said in texts.items():
                if said:
                    logger.experiment.add_text(name, said)


def log_hyperparameters(trainer: Trainer, settings: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Write a run's settings and final metrics to the HParams tab.

    Called when training is over: Lightning would write placeholders of -1 before it.
    """
    shown = {
        name: metrics[name] for name in ("val/accuracy", "val/loss", "test/accuracy", "test/loss") if name in metrics
    }
    final = {f"final/{name.replace('/', '_')}": value for name, value in shown.items()}
    for logger in trainer.loggers:
        if not isinstance(logger, TensorBoardLogger):
            continue
        logger.log_metrics(final, trainer.global_step)
        writer = logger.experiment._get_file_writer()
        for summary in hparams(dict(settings), final):
            writer.add_summary(summary)
        logger.save()
