"""Trackers of experiments beside TensorBoard: MLflow and Weights & Biases.

A tracker that fails before the first step is an error, later a warning: no training ends because a server does.
"""

import functools
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, WandbLogger

from digitrec.errors import DigitrecError, UsageError, needs_extra
from digitrec.system.wording import first_line
from digitrec.training.results import hyperparameters

FILES = ("metrics.json", ".hydra/config.yaml", "report.html", "predictions.csv", "figures/*.png")  # of a run folder
CHECKPOINT = "checkpoints/best.ckpt"
QUIET = {  # neither sends statistics about its use; a server that does not answer is given up after some seconds
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}


def begin(loggers: Sequence[Logger], settings: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Begin a run with each tracker, or go on with it.

    Args:
        loggers: of the trainer; those that are no trackers are left alone.
        settings: of the run, which a new one is described by.
        known: name of a tracker -> id of its run, of a run that goes on.

    Returns:
        the same for all trackers.

    Raises:
        DigitrecError: a tracker cannot be reached.
    """
    ids = dict(known)
    for tracker in _trackers(loggers):
        run = Path(settings["run_dir"])
        about = {"name": run.name, "group": run.parent.name, "tags": settings["tags"], "note": settings["note"]}
        try:
            ids[tracker.extra] = tracker.begin(about, known.get(tracker.extra))
        except DigitrecError:
            raise
        except Exception as error:  # each library has kinds of its own, and those of what it calls
            raise DigitrecError(
                f"logger={tracker.extra}: {tracker.explain(error)}\n"
                "Next: mend that, or train without it: logger=tensorboard"
            ) from error
        if tracker.extra not in known:
            tracker.log_hyperparams(hyperparameters(dict(settings)))
    return ids


def finish(loggers: Sequence[Logger], run_dir: Path, metrics: Mapping[str, float], step: int) -> None:
    """Hand over what a run folder has at the end, and figures of its report; end the run."""
    for tracker in _trackers(loggers):
        if metrics:
            tracker.log_metrics(metrics, step)
        patterns = (*FILES, CHECKPOINT) if tracker.checkpoint else FILES
        tracker.log_files(run_dir, [file for pattern in patterns for file in sorted(run_dir.glob(pattern))])
        tracker.end()


def _trackers(loggers: Sequence[Logger]) -> "list[MLflow | WeightsAndBiases]":
    return [logger for logger in loggers if isinstance(logger, MLflow | WeightsAndBiases)]


def _forgiving(method: Callable[..., None]) -> Callable[..., None]:
    """A method of a tracker that warns when it fails for the first time, and from then on does nothing."""

    @functools.wraps(method)
    def attempt(self: Any, *arguments: Any, **options: Any) -> None:
        if self.lost:
            return
        try:
            method(self, *arguments, **options)
        except Exception as error:  # see begin
            self.lost = True
            warnings.warn(f"logger={self.extra}: {self.explain(error)}; nothing more is sent", stacklevel=2)

    return attempt


class MLflow(MLFlowLogger):
    """Lightning's logger for MLflow, which outlives its server.

    Args:
        experiment_name: under which MLflow lists the run.
        tracking_uri: of a server or a database; None: the variable MLFLOW_TRACKING_URI, or else `folder`/mlflow.db.
        folder: of that database and its files.
        checkpoint: whether the best checkpoint is handed over as well.
    """

    extra = "mlflow"
    lost = False

    def __init__(
        self,
        experiment_name: str = "digitrec",
        tracking_uri: str | None = None,
        folder: str = "outputs",
        checkpoint: bool = True,
    ) -> None:
        _prepare()
        self.checkpoint = checkpoint
        local, uri = Path(folder).absolute(), tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if uri is None:
            local.mkdir(parents=True, exist_ok=True)
        try:
            super().__init__(
                experiment_name,
                tracking_uri=uri or f"sqlite:///{local / 'mlflow.db'}",
                artifact_location=None if uri else (local / "mlruns").as_uri(),
            )
        except ModuleNotFoundError:
            raise UsageError(needs_extra("logger=mlflow", self.extra)) from None

    def begin(self, about: Mapping[str, Any], run_id: str | None) -> str:
        """Begin a run, or go on with one; returns its id."""
        self._run_name, self._run_id = about["name"], run_id
        self.tags = {"group": about["group"], "tags": ", ".join(about["tags"]), "mlflow.note.content": about["note"]}
        self.tags = {name: value for name, value in self.tags.items() if value}
        if run_id is not None:
            self.experiment.update_run(run_id, status="RUNNING")
        return str(self.run_id)

    @_forgiving
    def log_files(self, folder: Path, files: Sequence[Path]) -> None:
        """Hand over files of a run folder under their paths in it."""
        for file in files:
            place = file.parent.relative_to(folder).as_posix().lstrip(".")
            self.experiment.log_artifact(self.run_id, str(file), place or None)

    def end(self) -> None:
        """Nothing: Lightning has ended the run."""

    def explain(self, error: Exception) -> str:
        """What to do about an error, in a line."""
        if isinstance(error.__context__, OSError):  # MLflow's message has the address three times
            return f"no server answers at {self._tracking_uri}"
        return f"{self._tracking_uri}: {first_line(error)}"

    log_hyperparams = _forgiving(MLFlowLogger.log_hyperparams)
    log_metrics = _forgiving(MLFlowLogger.log_metrics)
    finalize = _forgiving(MLFlowLogger.finalize)


class WeightsAndBiases(WandbLogger):
    """Lightning's logger for Weights & Biases, which does not end a training.

    Args:
        save_dir: of its own files, below which `wandb sync` finds a run that was logged offline.
        project: under which it lists the run.
        entity: user or team; None: the default of the account.
        mode: online or offline; None: the variable WANDB_MODE, or else offline.
        checkpoint: whether the best checkpoint is handed over as well.
    """

    extra = "wandb"
    lost = False

    def __init__(
        self,
        save_dir: str,
        project: str = "digitrec",
        entity: str | None = None,
        mode: str | None = None,
        checkpoint: bool = True,
    ) -> None:
        _prepare()
        self.checkpoint = checkpoint
        mode = mode or os.environ.get("WANDB_MODE", "offline")
        # Neither what is printed nor code is sent, and a server that is gone holds up the end for five minutes at most.
        settings = {"console": "off", "disable_code": True, "finish_timeout": 300, "finish_timeout_raises": True}
        try:
            super().__init__(project=project, save_dir=save_dir, entity=entity, mode=mode, settings=settings)
        except ModuleNotFoundError:
            raise UsageError(needs_extra("logger=wandb", self.extra)) from None

    def begin(self, about: Mapping[str, Any], run_id: str | None) -> str:
        """Begin a run, or go on with one; returns its id."""
        import wandb

        if wandb.run is not None:  # of an earlier job of this process, which has failed
            wandb.finish()
        if self._wandb_init["mode"] == "online" and not wandb.login(prompt=False):
            raise DigitrecError("logger=wandb: nobody is logged in; run: wandb login, or set logger.wandb.mode=offline")
        given = {"name": about["name"], "group": about["group"], "tags": about["tags"], "notes": about["note"]}
        self._wandb_init |= {**given, "id": run_id}
        self._wandb_init.pop("anonymous", None)  # Lightning 2.6 passes it on, and W&B 0.31 warns of it
        return str(self.experiment.id)

    @_forgiving
    def log_files(self, folder: Path, files: Sequence[Path]) -> None:
        """Hand over files of a run folder under their paths in it, and show pictures."""
        import wandb

        for file in files:
            self.experiment.save(str(file), base_path=str(folder), policy="now")
        pictures = {f"figures/{file.stem}": wandb.Image(str(file)) for file in files if file.suffix == ".png"}
        if pictures:
            self.experiment.log(pictures)

    @_forgiving
    def end(self) -> None:
        """End the run, or the next one of this process would be taken for a part of it."""
        self.experiment.finish()

    def explain(self, error: Exception) -> str:
        """What is wrong, in a line."""
        return first_line(error)

    log_hyperparams = _forgiving(WandbLogger.log_hyperparams)
    log_metrics = _forgiving(WandbLogger.log_metrics)
    finalize = _forgiving(WandbLogger.finalize)


def _prepare() -> None:
    """Set the variables that the libraries read when they are imported, unless a person has set them."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
