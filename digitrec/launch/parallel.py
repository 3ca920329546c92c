"""The launcher of sweeps whose jobs have processes of their own: if one dies, the others go on.

The sweep's process imports torch once, does nothing with it, and forks a process for each job, so many at a time.
"""

import importlib
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from digitrec.config.limit_omegaconf import limit_configurations
from digitrec.errors import DigitrecError, UsageError
from digitrec.launch.sweep import unrecorded_failures
from digitrec.run_folder.record import close_record, read_record
from digitrec.system.patches import share_warnings
from digitrec.system.process import die_with_parent, prepare_process
from digitrec.system.signals import (
    CODES,
    ENDING,
    blocked,
    describe_exit,
    exit_on_signal,
    install_handlers,
    restore_handlers,
    signal_exit_code,
)
from digitrec.system.terminal import NamedLines


class Job(NamedTuple):
    """A running job."""

    number: int
    config: DictConfig
    process: ForkProcess
    results: Connection
    descriptor: int  # readable once the process has ended; unlike a pipe's end, no child of it can hold that back


class SideBySide(Launcher):
    """Runs a sweep's jobs, at most `n_jobs` at a time, each with its share of the cores."""

    def __init__(self, n_jobs: int = 2) -> None:
        self.n_jobs = n_jobs
        self._running: dict[int, Job] = {}
        self._signal: int | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before `launch`."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run every job; a failed one is no error here, run.json has the reason.

        Raises:
            KeyboardInterrupt, SystemExit: a signal ended every job, and then the sweep.
            UsageError: `n_jobs` is no number above 0, or the system is not Linux.
        """
        if sys.platform != "linux":  # where processes can be forked, and watched, as this needs
            raise UsageError("hydra/launcher=side_by_side: needs Linux so far; leave it out to run the jobs in turn")
        if not isinstance(self.n_jobs, int) or self.n_jobs < 1:
            raise UsageError(f"hydra.launcher.n_jobs={self.n_jobs}: expected a whole number above 0")
        setup_globals()
        prepare_process()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        configs = [self._compose(index, list(given)) for index, given in enumerate(job_overrides, initial_job_idx)]
        importlib.import_module("digitrec.build")  # torch, once for all jobs
        earlier = install_handlers(self._end)
        try:
            with share_warnings():
                returned = self._run(configs)
        finally:
            restore_handlers(earlier)
        if self._signal is not None:
            exit_on_signal(self._signal, None)
        return [returned[number] for number in sorted(returned)]

    def _compose(self, index: int, overrides: list[str]) -> DictConfig:
        limit_configurations()  # anew for each job
        config = self._context.config_loader.load_sweep_config(self._config, overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = index
        return config

    def _run(self, configs: Sequence[DictConfig]) -> dict[int, JobReturn]:
        waiting, returned = deque(configs), dict[int, JobReturn]()
        while self._running or (waiting and self._signal is None):
            while waiting and len(self._running) < self.n_jobs and self._signal is None:
                with blocked():  # until the job has handlers of its own, and it is in the list
                    job = self._start(waiting.popleft())
                    self._running[job.descriptor] = job
            for ended in wait(list(self._running)):
                assert isinstance(ended, int)
                job = self._running.pop(ended)
                returned[job.number] = _finish(job)
        return returned

    def _start(self, config: DictConfig) -> Job:
        results, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=self._work, args=(config, sender, os.getpid()))
        process.start()
        sender.close()
        assert process.pid is not None
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(process.pid, process.pid)  # a terminal's Ctrl-C reaches the sweep, which passes it on once
        return Job(config.hydra.job.num, config, process, results, os.pidfd_open(process.pid))

    def _work(self, config: DictConfig, sender: Connection, parent: int) -> None:
        """In the job's process."""
        import torch

        install_handlers(exit_on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        die_with_parent(signal.SIGTERM, parent)  # with time to save a checkpoint
        torch.set_num_threads(max(1, torch.get_num_threads() // self.n_jobs))
        unrecorded_failures.clear()
        name = str(config.hydra.sweep.subdir)
        sys.stdout, sys.stderr = NamedLines(sys.stdout, name), NamedLines(sys.stderr, name)
        value = None
        try:
            value = run_job(
                task_function=self._task,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                hydra_context=self._context,
            ).return_value
        except (KeyboardInterrupt, SystemExit) as error:
            sys.exit(signal_exit_code(error))
        except Exception as error:  # Hydra could not begin it
            unrecorded_failures.append(f"{_folder(config)}: {error}")
        sender.send((value, unrecorded_failures))

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on to the jobs; `launch` ends when they have."""
        self._signal = number
        for job in self._running.values():
            with suppress(ProcessLookupError):
                os.kill(job.process.pid or 0, number)


def _folder(config: DictConfig) -> Path:
    return Path(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir))


def _finish(job: Job) -> JobReturn:
    """The result of a job that has ended; the sweep's table shows how."""
    job.process.join()
    os.close(job.descriptor)
    done = JobReturn(cfg=job.config, status=JobStatus.COMPLETED)
    if job.results.poll():  # true at the end of the pipe as well
        with suppress(EOFError):
            done.return_value, messages = job.results.recv()
            unrecorded_failures.extend(messages)
    job.results.close()
    code = job.process.exitcode or 0
    if code and code not in CODES:
        _record_exit(job, code)
    return done


def _record_exit(job: Job, code: int) -> None:
    """Report why a job's process died: in its record, or where it had none yet, to the sweep."""
    process = job.process.pid or 0
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)  # what it has started
    error = DigitrecError(describe_exit(code))
    folder = _folder(job.config)
    try:
        record = read_record(folder)
    except DigitrecError:
        record = {}
    if record.get("pid") == process and record["status"] == "running":
        close_record(folder, error, record)
    else:
        unrecorded_failures.append(f"{folder}: {error}")
