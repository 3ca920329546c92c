"""Processes of one training that torchrun or SLURM has started, on one machine or on several."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from digitrec.config.overrides import AUTO, PLACE, is_override, is_sweep, key_of, value
from digitrec.errors import UsageError

if TYPE_CHECKING:  # commands start without it
    from lightning import Trainer

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
# In the errors of gloo and NCCL when a process that they wait for is gone.
PEER_GONE = re.compile(r"closed by peer|reset by peer|remote process exited", re.IGNORECASE)
INTERACTIVE = ("bash", "interactive")  # names of SLURM jobs in which Lightning 2.6 ignores SLURM


def is_first_process() -> bool:
    """Whether this process is the one that writes files and prints."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def start_processes_without_srun() -> None:
    """Have Lightning start a training's processes itself in a SLURM job without srun, where it would wait for them."""
    if "SLURM_NTASKS" in os.environ and "SLURM_STEP_ID" not in os.environ:
        os.environ["SLURM_JOB_NAME"] = INTERACTIVE[-1]


def is_restarted() -> bool:
    """Whether this is a job of a sweep that SLURM has put back into its queue and started again."""
    return "SUBMITIT_EXECUTOR" in os.environ and os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def processes_started() -> int | None:
    """How many processes of this training torchrun or srun has started; None where Lightning starts them itself."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    if "SLURM_STEP_ID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in INTERACTIVE:  # srun sets it
        return int(os.environ.get("SLURM_NTASKS", "1"))
    return None


def is_peer_gone(error: Exception) -> bool:
    """Whether an error means that another process of the training has ended."""
    return PEER_GONE.search(str(error)) is not None


def check_place(arguments: Sequence[str]) -> None:
    """UsageError if several processes, started by torchrun or srun, cannot run this command line at once.

    Each would choose a run folder or run a whole sweep, or Lightning 2.6 does not support how SLURM started them.
    """
    count = processes_started()
    if count in (None, 1):
        return
    if "TORCHELASTIC_RUN_ID" not in os.environ and "SLURM_NTASKS_PER_NODE" not in os.environ:
        each = int(os.environ["SLURM_NTASKS"]) // int(os.environ.get("SLURM_NNODES", "1"))
        raise UsageError(f"--ntasks={count}: Lightning needs the number for each machine; use --ntasks-per-node={each}")
    if is_sweep(arguments):
        raise UsageError(f"-m: {count} processes were started, and each would run the whole sweep; start one")
    resumed = value(arguments, "resume") not in (None, AUTO)
    if not resumed and not any(is_override(text) and key_of(text) == PLACE for text in arguments):
        raise UsageError(
            f"{count} processes were started, and each would choose a run folder of its own; "
            f"name one for all: {PLACE}=outputs/train/my-run"
        )


def check_processes(trainer: "Trainer", *, sweep: bool) -> None:
    """UsageError if a trainer needs more processes than there may be, or others than torchrun or srun has started."""
    devices, nodes, count = trainer.num_devices, trainer.num_nodes, processes_started()
    if count not in (None, devices * nodes):
        raise UsageError(
            f"trainer.devices={devices} trainer.num_nodes={nodes} need {devices * nodes} processes, "
            f"but srun or torchrun started {count}; start as many, or change these settings"
        )
    cores = os.cpu_count() or 1
    if trainer.strategy.root_device.type == "cpu" and devices > max(2, cores):
        raise UsageError(f"trainer.devices: {devices} processes, but this machine has {cores} cores; use fewer")
    # Lightning starts further processes by repeating the command line, which in a sweep is the whole sweep.
    if sweep and trainer.world_size > 1:
        raise UsageError(
            f"trainer.devices: a sweep runs each job in one process, this one has {trainer.world_size}; "
            "use trainer.devices=1"
        )
