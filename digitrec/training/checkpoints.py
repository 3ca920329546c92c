"""When checkpoints are saved, so that a training can go on from any of them as if it had never stopped."""

import errno
import math
import os
import shutil
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from digitrec.errors import DigitrecError
from digitrec.models.checkpoint_file import read_checkpoint, write_checkpoint

PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")
BEST = "best.ckpt"
LOGS = 2**20  # bytes


class WholeFiles(CheckpointIO):
    """Hands Lightning's checkpoints to the one writer and reader of ours."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the file, whole or not at all."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read the file, on the CPU and plain values only, whatever else is asked."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete the file, if it is there."""
        Path(path).unlink(missing_ok=True)


def check_room(run_dir: Path, model: nn.Module, trainer: Trainer) -> None:
    """Hold the room on the disk against what a run's checkpoints will take.

    Raises:
        DigitrecError: there is less.
    """
    # Weights, Adam's two averages and averaged weights; one file more than stay, for the one that is being written.
    content = 4 * sum(tensor.nbytes for tensor in model.state_dict().values())
    there = sum(file.stat().st_size for file in run_dir.glob("checkpoints/*.ckpt"))  # of a run that goes on
    needed = content * (1 + len(trainer.checkpoint_callbacks)) + LOGS - there
    free = shutil.disk_usage(run_dir).free
    if trainer.checkpoint_callbacks and free < needed:
        raise DigitrecError(
            f"{run_dir}: {os.strerror(errno.ENOSPC)}: {free / 2**20:.1f} MiB of room, a run with this network needs "
            f"about {needed / 2**20:.1f}; free some, or choose another disk with hydra.run.dir=..."
        )


class EpochCheckpoint(ModelCheckpoint):
    """Lightning's, but saved between epochs: when all figures of one are written and nothing of the next has begun.

    Of equal values of the metric the one with the lower validation loss is the better. Where several files are kept,
    the best of them is there as best.ckpt as well, which is the one that a run folder stands for.

    Args:
        dirpath: folder of the files; a run that was moved finds them in the new one.
        filename: without its ending; `{epoch}` in it is the number of epochs, added where several files are kept.
        monitor: metric whose best epoch is kept; None keeps the last one.
        mode: "max" or "min", which of its values is the best.
        save_top_k: how many files to keep; -1 for all.
        every_n_epochs: epochs between two files.
    """

    def __init__(
        self,
        dirpath: str,
        filename: str,
        monitor: str | None = None,
        mode: str = "max",
        save_top_k: int = 1,
        every_n_epochs: int = 1,
    ) -> None:
        super().__init__(
            dirpath=dirpath,
            filename=filename if save_top_k in (0, 1) or "{" in filename else f"{filename}-{{epoch}}",
            monitor=monitor,
            mode=mode,
            save_top_k=save_top_k,
            every_n_epochs=every_n_epochs,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )
        self._trainer: Trainer | None = None
        self._validated = False
        self._losses: dict[str, float] = {}  # validation loss of each file that was kept

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep the trainer: whether training was stopped early belongs to the state."""
        super().setup(trainer, pl_module, stage)
        self._trainer = trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """There is nothing to save before the first step."""
        super().on_train_start(trainer, pl_module)
        self._last_global_step_saved = trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that figures of the validation are of this epoch."""
        self._validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait: loggers have yet to get the epoch's figures."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what the epoch before has led to."""
        # A training that goes on between epochs has no half of one behind it. Lightning would end the old one again.
        trainer.fit_loop.epoch_loop.restarting = False
        if trainer.current_epoch % self._every_n_epochs == 0:
            self._save_epoch(trainer)
        self._validated = False

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what the last epoch has led to."""
        self._save_epoch(trainer)

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Whether a value is better than the worst of those kept."""
        if super().check_monitor_top_k(trainer, current) or current is None:
            return current is not None
        worst = self.kth_best_model_path
        return bool(current == self.best_k_models[worst]) and _loss(trainer) < self._losses.get(worst, -math.inf)

    def save(self, trainer: Trainer) -> None:
        """Save now, in the middle of an epoch, under the name of this callback's file."""
        if not self._should_skip_saving_checkpoint(trainer):
            self._save_checkpoint(trainer, self.format_checkpoint_name(self._monitor_candidates(trainer)))

    def state_dict(self) -> dict[str, Any]:
        """Lightning's, with names instead of paths, and whether training has been stopped."""
        state = super().state_dict()
        state |= {name: Path(state[name]).name for name in PATHS}
        state["best_k_models"] = {Path(path).name: score for path, score in self.best_k_models.items()}
        state["losses"] = {Path(path).name: self._losses[path] for path in self.best_k_models if path in self._losses}
        return state | {"dirpath": None, "stopped": self._trainer is not None and self._trainer.should_stop}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, as that of files in this callback's folder."""
        state = dict(state_dict)
        state |= {name: self._here(state[name]) for name in PATHS}
        state["best_k_models"] = {self._here(name): score for name, score in state["best_k_models"].items()}
        self._losses = {self._here(name): loss for name, loss in state.get("losses", {}).items()}
        super().load_state_dict(state | {"dirpath": self.dirpath})
        if self._trainer is not None and state["stopped"]:
            self._trainer.should_stop = True

    def _save_epoch(self, trainer: Trainer) -> None:
        stale = (self.monitor or "").startswith("val/") and not self._validated and trainer.enable_validation
        if not stale and not self._should_skip_saving_checkpoint(trainer):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        for logger in trainer.loggers:
            logger.save()  # what a checkpoint goes on from must not be lost
        if filepath in self.best_k_models:
            self._losses[filepath] = _loss(trainer)
            ranked = sorted(self.best_k_models, key=self._rank, reverse=True)
            self.best_model_path = ranked[0]
            if len(ranked) == self.save_top_k:
                self.kth_best_model_path = ranked[-1]
        super()._save_checkpoint(trainer, filepath)
        if self.monitor and trainer.is_global_zero and Path(self.best_model_path).name != BEST:
            copy = Path(filepath).with_name(
                f".{BEST}.copy"
            )  # removed when a run goes on, if this process is killed here
            shutil.copyfile(self.best_model_path, copy)
            copy.replace(copy.with_name(BEST))

    def _rank(self, path: str) -> tuple[float, float]:
        score = float(self.best_k_models[path])
        return (score if self.mode == "max" else -score, -self._losses.get(path, -math.inf))

    def _here(self, name: str) -> str:
        return str(Path(str(self.dirpath)) / name) if name else ""


def _loss(trainer: Trainer) -> float:
    return float(trainer.callback_metrics.get("val/loss", math.inf))
