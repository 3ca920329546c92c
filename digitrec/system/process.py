"""Settings of a process for its C library and its threads; made before torch is imported."""

import ctypes
import os
import platform
import signal
import sys

SPINS = "1000"  # rounds of a loop, some microseconds
KEPT = 32 * 2**20  # bytes, the largest threshold that glibc takes
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them

DIE_WITH_PARENT = 1  # as sys/prctl.h numbers it

OWN_WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
OWN_MEMORY = {"GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "LD_PRELOAD"}


def prepare_process() -> None:
    """Let threads wait without burning their core, keep freed memory, and leave no process of a training behind.

    The person's environment comes first.
    """
    if not OWN_WAITING & os.environ.keys():
        # By default a thread that waits for another one spins, on a core which that other one may be waiting for.
        os.environ["GOMP_SPINCOUNT"] = SPINS
    if "TORCHELASTIC_RUN_ID" in os.environ:  # started by torchrun, which may be killed
        die_with_parent(signal.SIGTERM)  # with time for all processes to save a checkpoint together
    elif os.environ.get("LOCAL_RANK", "0") != "0":
        # Started by the first process of a training; without it, this one would wait half an hour for its answer.
        die_with_parent(signal.SIGKILL)
    if not OWN_MEMORY & os.environ.keys() and platform.libc_ver()[0] == "glibc":
        # Each training step frees tensors of megabytes and allocates the same again. By default they go back to the
        # system in between, and every page of theirs is cleared and mapped anew: up to a quarter of the step's time.
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, KEPT)
        libc.mallopt(TRIM_THRESHOLD, 2**30)


def die_with_parent(number: signal.Signals, parent: int | None = None) -> None:
    """Have Linux send this process a signal as soon as the one that started it, `parent` by its number, is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, number)
        if parent is not None and os.getppid() != parent:  # gone before it could be asked for
            os.kill(os.getpid(), number)
