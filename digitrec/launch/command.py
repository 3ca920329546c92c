"""How every Hydra entry point starts and ends: signals, errors in a line or two, exit codes, the sweep's table."""

import errno
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from digitrec.config.allowed import LAUNCHER
from digitrec.config.composing import set_up_hydra
from digitrec.config.error_texts import explain
from digitrec.config.limits import limit_configurations
from digitrec.config.overrides import expand_home, spelled_path
from digitrec.config.schema import CONF_DIR
from digitrec.errors import DigitrecError, FolderTakenError, UsageError
from digitrec.launch.parallel import SideBySide
from digitrec.launch.ranks import start_processes_without_srun
from digitrec.launch.run_names import name_jobs, register_resolvers
from digitrec.launch.sweep import print_sweep, unrecorded_failures
from digitrec.run_folder.composition import discard
from digitrec.run_folder.record import RECORD
from digitrec.system.patches import list_groups_quickly, register_launcher
from digitrec.system.process import prepare_process
from digitrec.system.signals import CODES, exit_on_signal, install_handlers, signal_exit_code
from digitrec.system.terminal import DONE, FAILED, USAGE, ignore_broken_pipes

OUTSIDE = {  # not our doing: disks, permissions, and paths that no system takes
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP),
}
log = logging.getLogger("run")  # into the run's log file, not onto the terminal

Task = Callable[[DictConfig, Path], float | None]


def launch(
    task: Task, config_name: str, prepare: Callable[[list[str]], list[str]] = list, *, resumable: bool = False
) -> NoReturn:
    """Run a task once, or once per job of a sweep, with the configuration that the command line composes.

    Args:
        task: configuration, run folder -> value of the objective.
        config_name: primary configuration, a file in conf/.
        prepare: arguments as typed -> as Hydra gets them; raises UsageError for what the command does not take.
        resumable: a sweep that did not finish can be continued by the same command with resume=auto.

    Raises:
        SystemExit: 0 done, 1 failed, 2 wrong usage or configuration, 129 hung up, 130 interrupted,
            138 or 140 warned of a time limit, 143 terminated.
    """
    traceback_wanted = _set_up()
    errors: list[Exception] = []
    code = DONE
    try:
        sys.argv[1:] = name_jobs(prepare([expand_home(word) for word in sys.argv[1:]]))
        _check_flags(sys.argv[1:])
        with _hydra_errors():
            hydra.main(str(CONF_DIR), config_name, "1.3")(_job(task, config_name, errors))()
        if errors and SweepStart.folder is None:
            raise errors[0]  # noqa: TRY301
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        code = _exit_code(error)
        if traceback_wanted and isinstance(error, Exception):
            traceback.print_exception(error)
        else:
            _print(error, code, config_name)
    sys.exit(code if SweepStart.folder is None else _end_sweep(SweepStart.folder, code, resumable=resumable))


class SweepStart(Callback):
    """Notes where a sweep writes: Hydra forgets it before the sweep's table can be printed."""

    folder: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra in the process that starts the jobs."""
        SweepStart.folder = Path(config.hydra.sweep.dir)
        if "submitit" in config.hydra.launcher._target_:
            from digitrec.launch.slurm import use_robust_executor

            use_robust_executor()


def _set_up() -> bool:
    """Prepare this process for Hydra; returns whether a person wants tracebacks."""
    wanted = os.environ.setdefault("DIGITREC_TRACEBACK", str(int("HYDRA_FULL_ERROR" in os.environ))) != "0"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors instead of printing them
    ignore_broken_pipes()
    logging.raiseExceptions = False  # a log that cannot be written is reported once, not by each message to it
    install_handlers(exit_on_signal)
    register_resolvers()
    set_up_hydra()
    register_launcher(SideBySide, LAUNCHER)
    if {"--help", "-h"} & set(sys.argv):
        list_groups_quickly()
    SweepStart.folder = None
    unrecorded_failures.clear()
    return wanted


def _check_flags(arguments: list[str]) -> None:
    """Refuse a flag that Hydra does not know in a line, where it would print all of its own."""
    _, unknown = get_args_parser().parse_known_args(arguments)
    if unknown:
        raise UsageError(
            f"{unknown[0]}: no such option; settings are written key=value, as in model=cnn, without dashes"
        )


@contextmanager
def _hydra_errors() -> Iterator[None]:
    """Turn what Hydra raises outside of the jobs into our errors."""
    try:
        yield
    except (UsageError, HydraException):
        raise
    except OSError as error:  # Hydra makes the run folder
        raise DigitrecError(f"the run folder cannot be written: {error}") from error
    except ValueError as error:  # for some wrong overrides
        raise UsageError(f"{' '.join(sys.argv[1:])}: {error}") from error


def _job(task: Task, config_name: str, errors: list[Exception]) -> Callable[[DictConfig], float | None]:
    """The function that Hydra calls for each job; an exception goes into `errors`, and a sweep goes on."""

    def job(cfg: DictConfig) -> float | None:
        install_handlers(exit_on_signal)  # submitit's process has other handlers
        prepare_process()
        start_processes_without_srun()
        limit_configurations()  # anew for each job
        run_dir = Path(HydraConfig.get().runtime.output_dir)
        new = not (run_dir / RECORD).exists()
        try:
            return task(cfg, run_dir)
        except Exception as error:
            _keep_traceback(error, run_dir, new=new)
            errors.append(error)
            if isinstance(error, FolderTakenError) or not (run_dir / RECORD).exists():
                unrecorded_failures.append(str(error))
            return None

    job.__module__ = f"digitrec.{config_name}"  # Hydra names the job after it
    return job


def _keep_traceback(error: Exception, run_dir: Path, *, new: bool) -> None:
    """Write a failure's traceback into the run's log, or remove the folder of a run that never began."""
    if isinstance(error, FolderTakenError):
        return
    if isinstance(error, UsageError) and new and HydraConfig.get().mode != RunMode.MULTIRUN:
        discard(run_dir)
        return
    with suppress(OSError):  # the log may be impossible to write
        log.exception("this run failed")


def _end_sweep(folder: Path, code: int, *, resumable: bool) -> int:
    if not folder.is_dir():  # no job was begun
        return code
    failed = print_sweep(folder) + len(unrecorded_failures)
    for message in unrecorded_failures:
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
    code = code or (FAILED if failed else DONE)
    if code and resumable:
        place = shlex.quote(f"hydra.sweep.dir={spelled_path(folder)}")
        print(f"to do what is left: the same command with {place} resume=auto", file=sys.stderr)  # noqa: T201
    return code


def _exit_code(error: BaseException) -> int:
    match error:
        case _ if code := signal_exit_code(error):
            return code
        case SystemExit(code=None):
            return DONE
        case SystemExit(code=int(code)):
            return code
        case UsageError() | HydraException() | OmegaConfBaseException():
            return USAGE
        case _:
            return FAILED


def _print(error: BaseException, code: int, config_name: str) -> None:
    if code in CODES:
        print(CODES[code], file=sys.stderr)  # noqa: T201
    elif isinstance(error, SystemExit):
        return
    elif text := _text_of(error, config_name):
        print(f"error: {text}", file=sys.stderr)  # noqa: T201
    else:
        traceback.print_exception(error)


def _text_of(error: BaseException, config_name: str) -> str | None:
    """What to say of an error; None for a fault of ours, which needs its traceback."""
    match error:
        case DigitrecError():
            return str(error)
        case HydraException() | OmegaConfBaseException():
            return explain(error, config_name, sys.argv[1:])
        case OSError() if error.errno in OUTSIDE:
            return ": ".join(str(word) for word in (error.filename, error.strerror) if word)
        case _:
            return None
