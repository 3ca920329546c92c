"""Run folders as digitrec.train leaves them, without a training."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from digitrec.run_folder.settings import read_overrides, read_settings

CONFIG: dict[str, Any] = {
    "seed": 1,
    "objective": "val/accuracy",
    "test": True,
    "run_dir": "${hydra:runtime.output_dir}",
    "model": {"_target_": "digitrec.models.mlp.MLP", "hidden": [128, 64], "dropout": 0.2},
    "optimizer": {"_target_": "digitrec.training.optimizers.adamw", "lr": 0.003},
    "augmentation": {},
    "data": {"_target_": "digitrec.data.datamodule.DigitDataModule", "dataset": "digits", "batch_size": 64},
    "trainer": {"_target_": "lightning.pytorch.trainer.Trainer", "max_epochs": 10},
}
MakeRun = Callable[..., Path]


def make_run(
    folder: Path,
    *,
    status: str = "finished",
    metrics: Mapping[str, float | None] | None = None,
    choices: dict[str, str | None] | None = None,
    record: dict[str, Any] | None = None,
    old: bool = False,
    **settings: Any,
) -> Path:
    """A run folder; `settings` by dotted names with double underscores, as in `optimizer__lr=0.1`.

    An old one is of a version before 0.2, which kept no settings in run.json.
    """
    (folder / ".hydra").mkdir(parents=True)
    config = json.loads(json.dumps(CONFIG))
    for name, value in settings.items():
        *groups, last = name.split("__")
        node = config
        for group in groups:
            node = node[group]
        node[last] = value
    chosen = {"model": "mlp", "optimizer": "adamw", "hydra/help": "x", **(choices or {})}
    hydra = {"hydra": {"runtime": {"choices": chosen}}}
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump(hydra, sort_keys=False))
    written = {"status": status, "start": "2026-11-21T10:00:00.000+00:00", "duration_s": 61.2, "seed": config["seed"]}
    if not old:
        written |= {"settings": read_settings(folder), "overrides": read_overrides(folder)}
    (folder / "run.json").write_text(json.dumps(written | {"data": "digits"} | (record or {})))
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder
