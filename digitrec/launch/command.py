"""How every Hydra entry point starts and ends: errors in a line or two, exit codes, the sweep's table."""

import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
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

from digitrec.config.check import CONF_DIR
from digitrec.config.guard import guard_hydra
from digitrec.config.limits import bound_configurations
from digitrec.config.overrides import is_sweep, quote_note, spelled_path
from digitrec.errors import DigitrecError, FolderTakenError, UsageError
from digitrec.launch.error_texts import explain
from digitrec.launch.parallel import register_launcher
from digitrec.launch.ranks import check_place, start_processes_without_srun
from digitrec.launch.run_names import name_jobs, register_resolvers
from digitrec.launch.sweep import Untold, print_sweep
from digitrec.run_folder.composition import compose, discard
from digitrec.run_folder.rerun import check_rerun
from digitrec.run_folder.resume import point_to_run
from digitrec.system.patches import list_groups_quickly
from digitrec.system.process import prepare_process
from digitrec.system.signals import CODES, exit_on_signal, install_handlers, signal_exit_code
from digitrec.system.terminal import outlive_readers

log = logging.getLogger("run")  # into the run's log file, not onto the terminal

Task = Callable[[DictConfig, Path], float | None]

WITH_NOTE = {"train", "tune"}
DONE, FAILED, USAGE = 0, 1, 2


def launch(task: Task, config_name: str) -> NoReturn:
    """Run a task once, or once per job of a sweep, with the configuration that the command line composes.

    Args:
        task: configuration, run folder -> value of the objective.
        config_name: primary configuration, a file in conf/.

    Raises:
        SystemExit: 0 done, 1 failed, 2 wrong usage or configuration, 129 hung up, 130 interrupted,
            138 or 140 warned of a time limit, 143 terminated.
    """
    asked = os.environ.setdefault("DIGITREC_TRACEBACK", str(int("HYDRA_FULL_ERROR" in os.environ)))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on to us instead of printing them
    outlive_readers()
    logging.raiseExceptions = False  # that a log can't be written is said once, not by each message to it
    install_handlers(exit_on_signal)
    register_resolvers()
    guard_hydra()
    bound_configurations()
    register_launcher()
    if {"--help", "-h"} & set(sys.argv):
        list_groups_quickly()
    if config_name in WITH_NOTE:
        sys.argv[1:] = map(quote_note, sys.argv[1:])
    sys.argv[1:] = name_jobs(sys.argv[1:])
    try:
        _check_flags(sys.argv[1:])
        if config_name == "tune":
            _check_one_job(sys.argv[1:])
        if config_name == "train":
            check_place(sys.argv[1:])
            check_rerun(sys.argv[1:])
            sys.argv[1:] = point_to_run(sys.argv[1:], partial(compose, config_name))
        code = _run(task, config_name)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        code = _exit_code(error)
        if asked != "0" and isinstance(error, Exception):
            traceback.print_exception(error)
        elif code in CODES:
            print(CODES[code], file=sys.stderr)  # noqa: T201
        elif code in (FAILED, USAGE) and not isinstance(error, SystemExit):
            _print(error, config_name)
    sys.exit(code if SweepStart.folder is None else _end_sweep(SweepStart.folder, code, config_name))


def _check_flags(arguments: list[str]) -> None:
    """Refuse a flag that Hydra does not know in a line, where it would print all of its own."""
    _, unknown = get_args_parser().parse_known_args(arguments)
    if unknown:
        raise UsageError(
            f"{unknown[0]}: no such option; settings are written key=value, as in model=cnn, without dashes"
        )


def _check_one_job(arguments: list[str]) -> None:
    if is_sweep(arguments):
        raise UsageError("-m: a search starts its runs itself; leave this out")


class SweepStart(Callback):
    """Notes where a sweep writes: Hydra forgets it before the sweep's table can be printed."""

    folder: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra in the process that starts the jobs."""
        SweepStart.folder = Path(config.hydra.sweep.dir)
        if "submitit" in config.hydra.launcher._target_:
            from digitrec.launch.slurm import outlive_lost_jobs

            outlive_lost_jobs()


def _run(task: Task, config_name: str) -> int:
    errors: list[Exception] = []
    SweepStart.folder = None
    Untold.messages.clear()

    def job(cfg: DictConfig) -> float | None:
        install_handlers(exit_on_signal)  # submitit's process has other handlers
        prepare_process()
        start_processes_without_srun()
        bound_configurations()  # anew for each job
        run_dir = Path(HydraConfig.get().runtime.output_dir)
        try:
            return _attempt(task, cfg, run_dir)
        except Exception as error:  # whatever it is, the sweep goes on with the next job
            errors.append(error)
            if isinstance(error, FolderTakenError) or not (run_dir / "run.json").exists():
                Untold.messages.append(str(error))
            return None

    job.__module__ = f"digitrec.{config_name}"
    try:
        hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name=config_name)(job)()
    except (UsageError, HydraException):
        raise
    except OSError as error:  # Hydra makes the run folder
        raise DigitrecError(f"the run folder cannot be written: {error}") from error
    except ValueError as error:  # Hydra's word for some wrong overrides; a job's own errors do not come this way
        raise UsageError(f"{' '.join(sys.argv[1:])}: {error}") from error
    if errors and SweepStart.folder is None:
        raise errors[0]
    return DONE


def _attempt(task: Task, cfg: DictConfig, run_dir: Path) -> float | None:
    """Do the task; a failure leaves its traceback in the run's log, or no folder if nothing had begun."""
    new = not (run_dir / "run.json").exists()
    try:
        return task(cfg, run_dir)
    except FolderTakenError:
        raise
    except Exception as error:
        if not isinstance(error, UsageError) or not new or HydraConfig.get().mode == RunMode.MULTIRUN:
            with suppress(OSError):  # there may be nowhere to write to
                log.exception("this run failed")
        else:
            discard(run_dir)
        raise


def _end_sweep(folder: Path, code: int, config_name: str) -> int:
    failed = print_sweep(folder)
    for message in Untold.messages:
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
        failed += 1
    code = code or (FAILED if failed else DONE)
    if code and config_name == "train":
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


def _print(error: BaseException, config_name: str) -> None:
    text = explain(error, config_name, sys.argv[1:])
    if text is None:
        traceback.print_exception(error)
    else:
        print(f"error: {text}", file=sys.stderr)  # noqa: T201
