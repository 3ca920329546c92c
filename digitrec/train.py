"""Train a network, test its best checkpoint once, and leave a run folder: python -m digitrec.train model=cnn."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from digitrec.config.check import check, check_path
from digitrec.config.composing import compose_unchecked
from digitrec.config.overrides import ANNOTATIONS, AUTO, as_path, key_of, parts_of, quote_note, spelled_path
from digitrec.config.schema import TrainConfig
from digitrec.errors import CheckpointError, DigitrecError, DivergedError, UsageError, is_disk_full
from digitrec.launch import launch
from digitrec.launch.ranks import check_place, check_processes, is_first_process, is_peer_gone, is_restarted
from digitrec.run_folder.composition import keep_composition, keep_settings
from digitrec.run_folder.record import RECORD, read_record, run_record, write_json
from digitrec.run_folder.rerun import check_rerun, compare_with_original, original_composition, warn_of_circumstances
from digitrec.run_folder.resume import earlier_composition, point_to_run, warn_of_changes
from digitrec.run_folder.run import read_run
from digitrec.system.wording import first_line, shown, typed
from digitrec.training.continuation import continue_csv, continue_events, newest_checkpoint

if TYPE_CHECKING:  # torch and Lightning take seconds to import; a wrong key is reported before that
    from lightning import Trainer
    from omegaconf import DictConfig

    from digitrec.data.datamodule import DigitDataModule
    from digitrec.models.classifier import DigitClassifier

Settings = dict[str, Any]


def train(
    model: DigitClassifier,
    datamodule: DigitDataModule,
    trainer: Trainer,
    *,
    test: bool | None = None,
    resume: Path | None = None,
) -> dict[str, float]:
    """Fit a model, from the checkpoint `resume` on if given, then test its best checkpoint once, unless `test` is off.

    `test` None is the setting of the model's configuration, which leaves folds untested; without one it is on.

    Parts that `digitrec.build` has made of settings leave a run folder as the command does, and print its results.

    Returns:
        metrics by their names in TensorBoard: `train/` and `val/` of the best epoch, `test/` of the best checkpoint.
        Without validation images the last epoch counts as the best.

    Raises:
        FolderTakenError: these settings have a run already; compose them anew for another one.
    """
    if test is None:
        test = model.settings.get("test", True)
    settings, parts = {**model.settings, "test": test}, _Parts(model, datamodule, trainer)
    run_dir = Path(settings.get("run_dir", ""))
    if not model.settings or Path(trainer.default_root_dir) != run_dir:  # of a program's own
        return _fit(parts, test=test, resume=resume)
    step = 0
    if resume is not None:
        from digitrec.models.checkpoint_file import read_checkpoint

        step = int(read_checkpoint(resume)["global_step"])
    run_dir.mkdir(parents=True, exist_ok=True)
    goes_on = resume is not None and (run_dir / RECORD).exists()
    with _recording(run_dir, partial(keep_settings, settings, run_dir), resume=goes_on) as record:
        record |= {name: settings[name] for name in ANNOTATIONS}
        _describe(parts, settings, run_dir, record, resume, step)
        metrics = _fit(parts, test=test, resume=resume)
        return _publish(parts, settings, run_dir, record, metrics)


def _fit(parts: _Parts, *, test: bool, resume: Path | None) -> dict[str, float]:
    from digitrec.models.checkpoint import load_weights
    from digitrec.training.results import best_checkpoint, epoch_metrics

    model, datamodule, trainer = parts
    _read_images(model, datamodule, test=test)
    trainer.fit(model, datamodule=datamodule, ckpt_path=resume)
    metrics = epoch_metrics(trainer)
    if not test:
        return metrics
    if checkpoint := best_checkpoint(trainer):
        # Not by Lightning's ckpt_path: after a fit, its weight averaging would put the weights before averaging back.
        load_weights(model, checkpoint)
    tested = trainer.test(model, datamodule, verbose=False)
    return metrics | {name: float(value) for result in tested for name, value in result.items()}


def _read_images(model: DigitClassifier, datamodule: DigitDataModule, *, test: bool) -> None:
    datamodule.prepare_data()
    datamodule.setup("fit")
    if test and datamodule.dataset == "folder":
        datamodule.setup("test")  # before the training, not after it, is known that a class has no picture to test on
    model.describe_data(datamodule.class_names, datamodule.mean, datamodule.std, datamodule.class_weights)


def _prepare(arguments: list[str]) -> list[str]:
    """The command line with a note that Hydra can read, and with the run folder that `resume` stands for."""
    quoted = [quote_note(argument) for argument in arguments]
    check_place(quoted)
    check_rerun(quoted)
    return point_to_run(quoted, partial(compose_unchecked, "train", arguments=arguments))


def _task(cfg: DictConfig, run_dir: Path) -> float | None:
    if cfg.resume is None and is_restarted():
        cfg.resume = AUTO
    resume = cfg.resume is not None and (run_dir / RECORD).exists()
    if resume:
        cfg, record = earlier_composition(cfg, run_dir), read_record(run_dir)
        if record["status"] == "finished" and parts_of(cfg.extend) == parts_of(record.get("extended")):
            print(f"{shown(run_dir)} is finished; nothing is left to do (extend=EPOCHS trains it longer)")  # noqa: T201
            return read_run(run_dir, warnings.warn).metrics.get(cfg.objective)
    elif cfg.rerun is not None:
        cfg = original_composition(cfg)
    with _recording(run_dir, partial(keep_composition, cfg, run_dir), resume=resume) as record:
        settings = check(cfg, TrainConfig)
        record |= {name: settings[name] for name in ANNOTATIONS}
        if settings["extend"] is not None:
            record["extended"] = parts_of(settings["extend"])
            record.get("settings", {})["extend"] = record["extended"]
        if settings["init_from"] is not None and not resume:
            check_path("init_from", settings["init_from"])
        from digitrec.data.folder import check_pictures  # numpy and Pillow, not torch

        check_pictures(settings["data"])
        _set_up_libraries(settings["seed"])
        checkpoint, step = newest_checkpoint(run_dir, warnings.warn, repair=is_first_process()) if resume else (None, 0)
        built = _build(settings, step, checkpoint, resume=resume)
        _describe(built, settings, run_dir, record, checkpoint, step)
        metrics = _fit(built, test=settings["test"], resume=checkpoint)
        metrics = _publish(built, settings, run_dir, record, metrics)
    return metrics.get(settings["objective"])


@contextmanager
def _recording(run_dir: Path, prepare: Callable[[], dict[str, Any]], *, resume: bool) -> Iterator[dict[str, Any]]:
    """The record of a run, which the first process of a training keeps; failures are explained."""
    recording: AbstractContextManager[dict[str, Any]] = nullcontext({})
    if is_first_process():
        recording = run_record(run_dir, resume=resume, prepare=prepare)
    with recording as record, _explained_failures(run_dir):
        yield record


@contextmanager
def _explained_failures(run_dir: Path) -> Iterator[None]:
    """Add the next step to what ends a training early."""
    try:
        yield
    except DivergedError as error:
        saved = sorted((run_dir / "checkpoints").glob("*.ckpt"), key=lambda file: file.stat().st_mtime)
        last = f"The last good checkpoint is {shown(saved[-1])}" if saved else "No checkpoint had been saved yet"
        raise DivergedError(f"{error}\n{last}. Next: a smaller optimizer.lr, or trainer.gradient_clip_val=1") from error
    except (RuntimeError, MemoryError) as error:
        from digitrec.system.memory import is_out_of_memory

        if is_out_of_memory(error):
            raise DigitrecError(
                f"there is not enough memory: {first_line(error)}\n"
                "Next: a smaller data.batch_size, or a smaller network"
            ) from error
        if is_peer_gone(error):
            raise DigitrecError("another process of this training has ended; see its output") from error
        if "conditioned on metric" in str(error):  # early stopping, by a metric that only a network of one's own has
            raise DigitrecError(f"callbacks: {first_line(error)}") from error
        raise
    except (OSError, CheckpointError) as error:
        if not is_disk_full(error):
            raise
        failed = error if isinstance(error, CheckpointError) else f"{error.filename or run_dir}: {error.strerror}"
        raise DigitrecError(f"{failed}\nNext: free some room, then {_resuming(run_dir)}") from error
    except (KeyboardInterrupt, SystemExit):
        if is_first_process() and not _is_sweep() and (run_dir / "checkpoints" / "last.ckpt").is_file():
            print(f"go on with: {_resuming(run_dir)}", file=sys.stderr)  # noqa: T201
        raise


def _resuming(run_dir: Path) -> str:
    """The command that goes on with a run."""
    return f"{typed('train')} {shlex.quote(f'resume={spelled_path(shown(run_dir))}')}"


def _set_up_libraries(seed: int) -> None:
    from lightning import seed_everything

    from digitrec.system.patches import number_event_files_from_zero, quiet_event_writer, quiet_libraries

    quiet_libraries(every_warning=is_first_process())
    quiet_event_writer()
    number_event_files_from_zero()
    seed_everything(seed, verbose=False)


class _Parts(NamedTuple):
    """What a training is made of."""

    model: DigitClassifier
    datamodule: DigitDataModule
    trainer: Trainer


def _build(settings: Settings, step: int, checkpoint: Path | None, *, resume: bool) -> _Parts:
    from digitrec import build

    loggers = continue_events(settings["logger"], step) if resume else settings["logger"]
    datamodule = build.build_datamodule(settings)
    trainer = build.build_trainer({**settings, "logger": loggers})
    check_processes(trainer, sweep=_is_sweep())
    return _Parts(build.build_model(settings, datamodule, checkpoint), datamodule, trainer)


def _describe(
    parts: _Parts, settings: Settings, run_dir: Path, record: dict[str, Any], checkpoint: Path | None, step: int
) -> None:
    """Read the images, and describe in the run's record, in TensorBoard and on the terminal what will be trained."""
    from digitrec import build
    from digitrec.training import results, tensorboard, tracking
    from digitrec.training.checkpoints import check_room

    model, datamodule, trainer = parts
    check_room(run_dir, model, trainer)
    _read_images(model, datamodule, test=settings["test"])
    _check_images(parts, settings, run_dir, record)
    record |= {**results.describe(settings, model, trainer), "data_checksum": datamodule.checksum}
    if step == 0:
        tensorboard.log_config(trainer.loggers, settings)
    if not trainer.is_global_zero:
        return
    record["trackers"] = tracking.begin(trainer.loggers, settings, record.get("trackers", {}))
    build.warn_if_idle(settings["trainer"])
    if settings["rerun"] is not None:
        warn_of_circumstances(as_path(settings["rerun"]), record, warnings.warn)
    if "resumed" in record:
        warn_of_changes(record, warnings.warn)
    write_json(run_dir / RECORD, record)
    continue_csv(trainer.loggers, step)
    results.print_start(record, run_dir, checkpoint, step)


def _check_images(parts: _Parts, settings: Settings, run_dir: Path, record: Mapping[str, Any]) -> None:
    """UsageError if the images differ from those that the run began with, or are too few for what is asked for."""
    from digitrec import build

    build.check_monitored(parts.model, parts.trainer, parts.datamodule)
    if settings["report"] and _reported(settings) == "val" and not len(parts.datamodule.splits["val"].labels):
        size = settings["data"]["val_size"]
        raise UsageError(f"report=true: with test=false and data.val_size={size} there are no images to report on")
    checksum = record.get("data_checksum")
    if checksum not in (None, parts.datamodule.checksum):
        raise UsageError(f"resume: the data files have changed since {run_dir} began, from checksum {checksum[:12]}...")


def _publish(
    parts: _Parts, settings: Settings, run_dir: Path, record: dict[str, Any], metrics: dict[str, float]
) -> dict[str, float]:
    """Write and print the results, in the first process; returns the metrics, a report's included if there is one."""
    if not parts.trainer.is_global_zero:
        return metrics
    from digitrec.training import results, tensorboard, tracking

    write_json(run_dir / "metrics.json", metrics)
    chosen = [key_of(override) for override in record.get("overrides", ())]
    tensorboard.log_hyperparameters(parts.trainer, results.hyperparameters(settings), metrics, chosen)
    results.print_end(metrics, run_dir, results.best_checkpoint(parts.trainer), brief=_is_sweep())
    reported = _report(parts, record, run_dir, _reported(settings)) if settings["report"] else {}
    if reported:
        write_json(run_dir / "metrics.json", reported | metrics)
    new = {name: value for name, value in reported.items() if name not in metrics}
    tracking.finish(parts.trainer.loggers, run_dir, new, parts.trainer.global_step)
    metrics = reported | metrics
    if settings["rerun"] is not None:
        print(compare_with_original(as_path(settings["rerun"]), run_dir, metrics, record))  # noqa: T201
    return metrics


def _reported(settings: Settings) -> str:
    """Split that a report is about."""
    return "test" if settings["test"] else "val"


def _report(parts: _Parts, record: Mapping[str, Any], run_dir: Path, stage: str) -> dict[str, float]:
    """The full report of the best checkpoint, into the run's own folder; its numbers."""
    from digitrec.models.checkpoint import load_classifier
    from digitrec.reports.publish import report
    from digitrec.training.results import best_checkpoint, history

    model, datamodule, trainer = parts
    checkpoint = best_checkpoint(trainer)
    evaluated = {
        **record,
        "checkpoints": [checkpoint or "none, the weights at the end"],
        "part": datamodule.part if stage == "test" else None,
        "precision": "bf16-mixed" if trainer.precision == "bf16-mixed" else "32-true",
    }
    datamodule.setup()
    return report(
        [load_classifier(checkpoint).to(trainer.strategy.root_device) if checkpoint else model.eval()],
        datamodule.splits,
        stage,
        evaluated,
        run_dir,
        history=history(trainer),
        writers=datamodule.test_writers if stage == "test" else None,
    )


def _is_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


main = partial(launch, _task, "train", _prepare, resumable=True)  # entry point of the command line

if __name__ == "__main__":
    main()
