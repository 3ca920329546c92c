"""Processes of one training that torchrun or SLURM has started, on one machine or on several."""

import os
import re
from collections.abc import Sequence

from digitrec.config.overrides import AUTO, PLACE, is_override, is_sweep, key_of, value
from digitrec.errors import UsageError

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
# What gloo and NCCL say when a process that they wait for is gone.
PEER_GONE = re.compile(r"closed by peer|reset by peer|remote process exited", re.IGNORECASE)
INTERACTIVE = ("bash", "interactive")  # names of SLURM jobs in which Lightning 2.6 takes no notice of SLURM


def is_first_process() -> bool:
    """Whether this process is the one that writes and speaks."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def start_processes_without_srun() -> None:
    """Have Lightning start a training's processes itself in a job of SLURM's in which srun has not: it would wait."""
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


def is_deserted(error: Exception) -> bool:
    """Whether an error comes from another process of the training having ended."""
    return PEER_GONE.search(str(error)) is not None


def check_place(arguments: Sequence[str]) -> None:
    """Hold a command line against what processes that know nothing of each other can agree on.

    Raises:
        UsageError: they would each choose a run folder of their own, or each run a whole sweep, or SLURM was asked for
            them in a way that Lightning 2.6 refuses or waits for.
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


def check_processes(devices: int, nodes: int) -> None:
    """Hold the number of processes that were started against what the trainer is set to.

    Raises:
        UsageError: they differ, and some would wait for others that never come.
    """
    count = processes_started()
    if count not in (None, devices * nodes):
        raise UsageError(
            f"trainer.devices={devices} trainer.num_nodes={nodes} need {devices * nodes} processes, "
            f"but srun or torchrun started {count}; start as many, or change these settings"
        )
