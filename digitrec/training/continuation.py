"""Taking up a run's checkpoint and logs where it was cut off."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitrec.errors import CheckpointError
from digitrec.system.wording import counted

if TYPE_CHECKING:  # the command line is read before Lightning is imported
    from lightning.pytorch.loggers import Logger

LAST = "last.ckpt"


def newest_checkpoint(run_dir: Path, warn: Callable[[str], object], *, repair: bool = True) -> tuple[Path | None, int]:
    """The newest checkpoint of a run that is whole, and the number of steps behind it; None for a run without any.

    Args:
        run_dir: its folder.
        warn: gets a line for each damaged one that was passed over.
        repair: delete what a killed process has left, and write the last checkpoint again; for one process of several.

    Raises:
        CheckpointError: there are some, and all are damaged.
    """
    from digitrec.models.checkpoint_file import read_checkpoint, write_checkpoint

    folder = run_dir / "checkpoints"
    for leftover in folder.glob(".*.ckpt.*") if repair else ():  # of a process that was killed while it saved
        leftover.unlink(missing_ok=True)
    whole: list[tuple[int, float, Path]] = []
    files = list(folder.glob("[!.]*.ckpt"))
    for file in files:
        try:
            whole.append((int(read_checkpoint(file)["global_step"]), file.stat().st_mtime, file))
        except (CheckpointError, KeyError, TypeError) as error:
            warn(str(error) if isinstance(error, CheckpointError) else f"{file}: not a checkpoint of a training")
    if files and not whole:
        raise CheckpointError(
            f"{run_dir}: none of its {counted(len(files), 'checkpoint')} can be used; start the run anew"
        )
    step, _, newest = max(whole, default=(0, 0.0, None))
    if newest is not None and newest.name != LAST and repair:
        # A kill between the best file and the last. Where no step is left to do, Lightning would not save it again.
        write_checkpoint(read_checkpoint(newest), folder / LAST)
    return newest, step


def continue_events(loggers: dict[str, Any], step: int) -> dict[str, Any]:
    """Nodes of loggers, with TensorBoard's dropping what a lost part of the run wrote from `step` on.

    TensorBoard reads files in the order of their names, which begin with the second they were begun in: the run's next
    one is not to share it with its last.
    """
    ours = {name for name, node in loggers.items() if str((node or {}).get("_target_")).endswith("TensorBoardLogger")}
    if ours:
        time.sleep(1 - time.time() % 1)
    return {name: {**node, "purge_step": step} if name in ours else node for name, node in loggers.items()}


def continue_csv(loggers: Sequence[Logger], step: int) -> None:
    """Give csv loggers the rows before `step` again: they start with an empty file."""
    from lightning.pytorch.loggers import CSVLogger

    for logger in loggers:
        if isinstance(logger, CSVLogger) and (file := Path(logger.log_dir) / "metrics.csv").is_file():
            with file.open(newline="", encoding="utf-8") as text:
                rows = [row for row in csv.DictReader(text) if int(row["step"]) < step]
            for row in rows:
                logged = {name: value for name, value in row.items() if value and name != "step"}
                logger.experiment.log_metrics(logged, int(row["step"]))  # figures as written
            logger.save()
