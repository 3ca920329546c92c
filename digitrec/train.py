"""Train a network, test its best checkpoint once, and leave a run folder: python -m digitrec.train model=cnn."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from digitrec.commandline import NOTEBOOK, as_path, spelled_path
from digitrec.config import TrainConfig, check, check_path
from digitrec.errors import DigitrecError, DivergedError, UsageError
from digitrec.launch import keep_composition, launch
from digitrec.ledger.run import read_run
from digitrec.nodes import is_deserted, is_first_process
from digitrec.rerun import judge, original_composition, warn_of_circumstances
from digitrec.resume import earlier_composition, warn_of_changes
from digitrec.training.continuation import continue_csv, continue_events, newest_checkpoint
from digitrec.training.run_record import read_record, run_record, write_json
from digitrec.wording import first_line, shown

if TYPE_CHECKING:  # torch and Lightning take seconds to import, and a wrong key shall not wait for them
    from lightning import Trainer
    from omegaconf import DictConfig

    from digitrec.data.datamodule import DigitDataModule
    from digitrec.models.classifier import DigitClassifier


def train(
    model: DigitClassifier,
    datamodule: DigitDataModule,
    trainer: Trainer,
    *,
    test: bool = True,
    resume: Path | None = None,
) -> dict[str, float]:
    """Fit a model, from the checkpoint `resume` on if given, then test its best checkpoint once, unless `test` is off.

    Returns:
        metrics by their names in TensorBoard: `train/` and `val/` of the best epoch, `test/` of the best checkpoint.
        Without validation images the last epoch counts as the best.
    """
    from digitrec.models.checkpoint import load_weights
    from digitrec.training.results import best_checkpoint, epoch_metrics

    datamodule.prepare_data()
    datamodule.setup("fit")
    model.describe_data(datamodule.class_names, datamodule.mean, datamodule.std)
    trainer.fit(model, datamodule=datamodule, ckpt_path=resume)
    metrics = epoch_metrics(trainer)
    if not test:
        return metrics
    if checkpoint := best_checkpoint(trainer):
        # Not by Lightning's ckpt_path: after a fit, its weight averaging would put the weights before averaging back.
        load_weights(model, checkpoint)
    tested = trainer.test(model, datamodule, verbose=False)
    return metrics | {name: float(value) for result in tested for name, value in result.items()}


def main() -> None:
    """Entry point of the command line."""
    launch(_task, "train")


def _task(cfg: DictConfig, run_dir: Path) -> float | None:
    go_on = cfg.resume is not None and (run_dir / "run.json").exists()
    if go_on:
        cfg = earlier_composition(cfg, run_dir)
        if read_record(run_dir)["status"] == "finished":
            return _already_finished(run_dir, cfg.objective)
    elif cfg.rerun is not None:
        cfg = original_composition(cfg)
    recording: AbstractContextManager[dict[str, Any]] = nullcontext({})
    if is_first_process():
        recording = run_record(run_dir, go_on=go_on, prepare=partial(keep_composition, cfg, run_dir))
    with recording as record:
        settings = check(cfg, TrainConfig)
        record |= {name: settings[name] for name in NOTEBOOK}
        if settings["init_from"] is not None and not go_on:
            check_path("init_from", settings["init_from"])
        try:
            metrics = _run(settings, run_dir, record, go_on=go_on)
        except DivergedError as error:
            saved = sorted((run_dir / "checkpoints").glob("*.ckpt"), key=lambda file: file.stat().st_mtime)
            last = f"The last good checkpoint is {shown(saved[-1])}" if saved else "No checkpoint had been saved yet"
            raise DivergedError(
                f"{error}\n{last}. Next: a smaller optimizer.lr, or trainer.gradient_clip_val=1"
            ) from error
        except (RuntimeError, MemoryError) as error:
            from digitrec.models.allowance import is_out_of_memory

            if is_out_of_memory(error):
                raise DigitrecError(
                    f"there is not enough memory: {first_line(error)}\n"
                    "Next: a smaller data.batch_size, or a smaller network"
                ) from error
            if not is_deserted(error):
                raise
            raise DigitrecError(
                "another process of this training has ended, and this one waits for it in vain; its own words tell why"
            ) from error
        except (KeyboardInterrupt, SystemExit):
            _tell_how_to_go_on(run_dir)
            raise
    return metrics.get(settings["objective"])


def _tell_how_to_go_on(run_dir: Path) -> None:
    if is_first_process() and not _is_sweep() and (run_dir / "checkpoints" / "last.ckpt").is_file():
        resume = shlex.quote(f"resume={spelled_path(shown(run_dir))}")
        print(f"go on with: python -m digitrec.train {resume}", file=sys.stderr)  # noqa: T201


def _already_finished(run_dir: Path, objective: str) -> float | None:
    print(f"{shown(run_dir)} is finished; nothing is left to do")  # noqa: T201
    return read_run(run_dir, warnings.warn).metrics.get(objective)


def _run(settings: dict[str, Any], run_dir: Path, record: dict[str, Any], *, go_on: bool) -> dict[str, float]:
    from lightning import seed_everything

    from digitrec import build
    from digitrec.training import results, tensorboard
    from digitrec.training.checkpoints import check_room
    from digitrec.training.console import quiet_libraries

    quiet_libraries(every_warning=is_first_process())
    seed_everything(settings["seed"], verbose=False)
    checkpoint, step = newest_checkpoint(run_dir, warnings.warn) if go_on else (None, 0)
    datamodule = build.build_datamodule(settings)
    trainer = build.build_trainer(
        {**settings, "logger": continue_events(settings["logger"], step)} if go_on else settings
    )
    _check_processes(trainer)
    model = build.build_model(settings, datamodule, fresh=checkpoint is None)
    check_room(run_dir, model, trainer)

    datamodule.prepare_data()
    datamodule.setup("fit")
    if settings["report"] and _reported(settings) == "val" and not len(datamodule.splits["val"].labels):
        size = settings["data"]["val_size"]
        raise UsageError(f"report=true: with test=false and data.val_size={size} there are no images to report on")
    if (checksum := record.get("data_checksum", datamodule.checksum)) != datamodule.checksum:
        raise UsageError(f"resume: the data files have changed since {run_dir} began, from checksum {checksum[:12]}...")
    record |= {**results.describe(settings, model, trainer), "data_checksum": datamodule.checksum}
    original = None if settings["rerun"] is None else as_path(settings["rerun"])
    if trainer.is_global_zero:
        if original is not None:
            warn_of_circumstances(original, record, warnings.warn)
        if go_on:
            warn_of_changes(record, warnings.warn)
        write_json(run_dir / "run.json", record)
        continue_csv(trainer.loggers, step)
    if step == 0:
        tensorboard.log_config(trainer.loggers, settings)
    if trainer.is_global_zero:
        results.print_start(record, run_dir, checkpoint, step)
    metrics = train(model, datamodule, trainer, test=settings["test"], resume=checkpoint)
    if trainer.is_global_zero:
        write_json(run_dir / "metrics.json", metrics)
        tensorboard.log_hyperparameters(trainer, results.hyperparameters(settings), metrics)
        results.print_end(metrics, run_dir, results.best_checkpoint(trainer), brief=_is_sweep())
        if settings["report"]:
            metrics = _report(model, datamodule, trainer, record, run_dir, _reported(settings)) | metrics
            write_json(run_dir / "metrics.json", metrics)
        if original is not None:
            print(judge(original, run_dir, metrics, record))  # noqa: T201
    return metrics


def _reported(settings: dict[str, Any]) -> str:
    """Split that a report is about."""
    return "test" if settings["test"] else "val"


def _report(
    model: DigitClassifier,
    datamodule: DigitDataModule,
    trainer: Trainer,
    record: dict[str, Any],
    run_dir: Path,
    stage: str,
) -> dict[str, float]:
    """The full report of the best checkpoint, into the run's own folder; its numbers."""
    from digitrec.evaluation.examine import describe, examine
    from digitrec.evaluation.publish import publish
    from digitrec.models.checkpoint import load_classifier
    from digitrec.training.results import best_checkpoint, history

    checkpoint = best_checkpoint(trainer)
    precision = "bf16-mixed" if trainer.precision == "bf16-mixed" else "32-true"
    datamodule.setup()
    examination = examine(
        [load_classifier(checkpoint).to(trainer.strategy.root_device) if checkpoint else model.eval()],
        datamodule.splits,
        stage=stage,
        precision=precision,
        history=history(trainer),
        title=f"{record['model']} on {record['data']}, {stage} images",
        facts=describe(
            {
                **record,
                "checkpoints": [checkpoint or "none, the weights at the end"],
                "split": stage,
                "precision": precision,
            }
        ),
    )
    return publish(examination, stage, run_dir)


def _is_sweep() -> bool:
    return HydraConfig.get().mode == RunMode.MULTIRUN


def _check_processes(trainer: Trainer) -> None:
    cores = os.cpu_count() or 1
    if trainer.strategy.root_device.type == "cpu" and trainer.num_devices > max(2, cores):
        raise UsageError(
            f"trainer.devices: {trainer.num_devices} processes, but this machine has {cores} cores; use fewer"
        )
    # Lightning starts further processes by repeating the command line, which in a sweep is the whole sweep.
    if trainer.world_size > 1 and _is_sweep():
        raise UsageError(
            f"trainer.devices: a sweep runs each job in one process, this one asks for {trainer.world_size}; "
            "use trainer.devices=1"
        )


if __name__ == "__main__":
    main()
