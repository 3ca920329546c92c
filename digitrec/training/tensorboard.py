"""What TensorBoard shows beyond curves: the configuration as text, and a filled HParams tab."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml
from lightning import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

FINAL = {  # metric -> its name in the HParams tab; a section of its own would stand above the curves
    "val/accuracy": "val_best/accuracy",
    "val/loss": "val_best/loss",
    "test/accuracy": "test/accuracy",
    "test/loss": "test/loss",
}
CHARTS = {name: ["Multiline", [f"^train/{name}$", f"^val/{name}$"]] for name in ("loss", "accuracy")}


def log_config(loggers: Sequence[Logger], settings: Mapping[str, Any]) -> None:
    """Write the composed configuration to hparams.yaml and the Text tab, and a person's remarks on the run.

    The Custom Scalars tab gets training and validation in one chart each for loss and accuracy.
    """
    text = yaml.safe_dump(dict(settings), sort_keys=False)
    texts = {
        "config": f"```yaml\n{text}\n```",
        "tags": ", ".join(settings.get("tags", ())),
        "note": settings.get("note"),
    }
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.hparams.update(settings)
            logger.experiment.add_custom_scalars({"training and validation": CHARTS})
            for name, content in texts.items():
                if content:
                    logger.experiment.add_text(name, content)


def log_hyperparameters(
    trainer: Trainer, settings: Mapping[str, Any], metrics: Mapping[str, float], chosen: Collection[str] = ()
) -> None:
    """Write a run's settings and final metrics to the HParams tab.

    Called when training is over: Lightning would write placeholders of -1 before it.

    Args:
        trainer: its TensorBoard loggers are written to.
        settings: columns of the tab.
        metrics: by name; those of `FINAL` are shown.
        chosen: settings that come first, of which there are too many to see them all at once.
    """
    final = {name: metrics[metric] for metric, name in FINAL.items() if metric in metrics}
    for logger in trainer.loggers:
        if not isinstance(logger, TensorBoardLogger):
            continue
        logger.log_metrics({name: final[name] for name in final if name not in metrics}, trainer.global_step)
        writer = logger.experiment._get_file_writer()
        for summary in hparams(dict(settings), final):
            about = summary.value[0].metadata.plugin_data
            content = HParamsPluginData.FromString(about.content)
            for info in content.experiment.hparam_infos:
                info.differs = info.name in chosen  # TensorBoard sorts by it, and sets it only where no run has infos
            if content.HasField("experiment"):
                about.content = content.SerializeToString()
            writer.add_summary(summary)
        logger.save()
