"""Processes of one training that torchrun or SLURM has started, on one machine or on several."""

import os
import re
from collections.abc import Sequence

from digitrec.commandline import AUTO, PLACE, is_override, is_sweep, key_of, value
from digitrec.errors import UsageError

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
# What gloo and NCCL say when a process that they wait for is gone.
PEER_GONE = re.compile(r"closed by peer|reset by peer|remote process exited", re.IGNORECASE)
INTERACTIVE = ("bash", "interactive")  # names of SLURM jobs in which Lightning takes no notice of SLURM


def is_first_process() -> bool:
    """Whether this process is the one that writes and speaks."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def processes_started() -> int:
    """How many processes of this training were started by somebody else than Lightning; 1 if none but this."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    if "SLURM_PROCID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in INTERACTIVE:
        return int(os.environ.get("SLURM_NTASKS", "1"))
    return 1


def is_deserted(error: Exception) -> bool:
    """Whether an error comes from another process of the training having ended."""
    return PEER_GONE.search(str(error)) is not None


def check_place(arguments: Sequence[str]) -> None:
    """Hold a command line against what processes that know nothing of each other can agree on.

    Raises:
        UsageError: they would each choose a run folder of their own, or each run a whole sweep.
    """
    count = processes_started()
    if count == 1:
        return
    if is_sweep(arguments):
        raise UsageError(f"-m: {count} processes were started, and each would run the whole sweep; start one")
    resumed = value(arguments, "resume") not in (None, AUTO)
    if not resumed and not any(is_override(text) and key_of(text) == PLACE for text in arguments):
        raise UsageError(
            f"{count} processes were started, and each would choose a run folder of its own; "
            f"name one for all: {PLACE}=outputs/train/my-run"
        )
