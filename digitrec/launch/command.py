"""How every Hydra entry point starts and ends: signals, errors in a line or two, exit codes, the sweep's table."""

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
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

from digitrec.config.allowed import LAUNCHER, check_hydra_logging, check_hydra_target
from digitrec.config.error_texts import explain
from digitrec.config.files import check_file, header_lines
from digitrec.config.help_comments import keep_comments_in_help
from digitrec.config.limit_omegaconf import limit_configurations
from digitrec.config.overrides import expand_home, is_override, key_of, spelled_path, start_anew
from digitrec.config.schema import CONF_DIR
from digitrec.errors import DigitrecError, FolderTakenError, UsageError
from digitrec.launch.parallel import SideBySide
from digitrec.launch.ranks import start_processes_without_srun
from digitrec.launch.run_names import name_jobs, register_resolvers
from digitrec.launch.sweep import print_sweep, unrecorded_failures
from digitrec.run_folder.composition import CONFIG, discard
from digitrec.run_folder.find import with_run_paths
from digitrec.run_folder.record import RECORD
from digitrec.system.patches import (
    check_hydra_files,
    check_hydra_targets,
    forget_warnings,
    list_groups_quickly,
    register_launcher,
)
from digitrec.system.process import prepare_process
from digitrec.system.signals import CODES, exit_on_signal, install_handlers, signal_exit_code
from digitrec.system.terminal import (
    DONE,
    EMPTY_ARGUMENT,
    FAILED,
    TRACEBACK,
    answer_version,
    exit_codes,
    ignore_broken_pipes,
)

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
    answer_version(sys.argv[1:])
    _set_up(config_name)
    errors: list[Exception] = []
    complete = False  # until all that was asked for has been done
    with exit_codes():
        try:
            _check_conf(config_name)
            words = [with_run_paths(expand_home(word)) for word in sys.argv[1:]]
            sys.argv[1:] = name_jobs(prepare(start_anew(words)))
            _check_words(sys.argv[1:])
            with _run_folder_errors():
                hydra.main(str(CONF_DIR), config_name, "1.3")(_job(task, config_name, errors))()
            if errors and SweepStart.folder is None:
                raise errors[0]
            complete = not errors
        except (HydraException, OmegaConfBaseException) as error:
            raise UsageError(explain(error, config_name, sys.argv[1:])) from error
        except (KeyboardInterrupt, SystemExit) as error:
            if code := signal_exit_code(error):
                print(CODES[code], file=sys.stderr)  # noqa: T201
                sys.exit(code)
            raise
        finally:
            if SweepStart.folder is not None:
                complete &= _end_sweep(SweepStart.folder)
                if resumable and not complete and SweepStart.folder.is_dir():
                    place = shlex.quote(f"hydra.sweep.dir={spelled_path(SweepStart.folder)}")
                    print(f"to do what is left: the same command with {place} resume=auto", file=sys.stderr)  # noqa: T201
    sys.exit(DONE if complete else FAILED)


class SweepStart(Callback):
    """Notes where a sweep writes: Hydra forgets it before the sweep's table can be printed."""

    folder: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra in the process that starts the jobs."""
        SweepStart.folder = Path(config.hydra.sweep.dir)
        if "submitit" in config.hydra.launcher._target_:
            from digitrec.launch.slurm import use_robust_executor

            use_robust_executor()


def _set_up(config_name: str) -> None:
    """Prepare this process for Hydra."""
    os.environ.setdefault(TRACEBACK, str(int("HYDRA_FULL_ERROR" in os.environ)))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors instead of printing them
    ignore_broken_pipes()
    logging.raiseExceptions = False  # a log that cannot be written is reported once, not by each message to it
    install_handlers(exit_on_signal)
    register_resolvers()
    check_hydra_targets(check_hydra_target, check_hydra_logging)
    check_hydra_files(check_file, header_lines)
    limit_configurations()
    register_launcher(SideBySide, LAUNCHER)
    if {"--help", "-h"} & set(sys.argv):
        list_groups_quickly()
        keep_comments_in_help(config_name)
    SweepStart.folder = None
    forget_warnings()
    unrecorded_failures.clear()


def _check_words(arguments: list[str]) -> None:
    """Refuse what Hydra answers with all of its own options, or with a traceback."""
    parser = get_args_parser()
    parser.exit_on_error = False  # with all of its own options
    try:
        _, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        option = str(error.argument_name).partition("/")[0]
        (values,) = (action.choices for action in parser._actions if option in action.option_strings)
        raise UsageError(f"{option}: expected {_either(values) if values else 'something after it'}") from None
    if "" in arguments:
        raise UsageError(EMPTY_ARGUMENT)
    if unknown:
        raise UsageError(
            f"{unknown[0]}: no such option; settings are written key=value, as in model=cnn, without dashes"
        )
    if nameless := [word for word in arguments if is_override(word) and not key_of(word)]:
        raise UsageError(f"{nameless[0]}: expected key=value, such as seed=1; --help lists the keys")


def _either(values: Iterable[str]) -> str:
    *others, last = values
    return f"{', '.join(others)} or {last}"


def _check_conf(config_name: str) -> None:
    file = CONF_DIR / f"{config_name}.yaml"
    if not file.is_file():
        raise UsageError(f"{file}: no such file; restore digitrec's folder conf/, or install digitrec anew")


@contextmanager
def _run_folder_errors() -> Iterator[None]:
    """Explain what Hydra lets through from the system and from Python."""
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
    unrecorded = isinstance(error, DigitrecError) and not any((run_dir / name).exists() for name in (RECORD, CONFIG))
    if new and (unrecorded or isinstance(error, UsageError)) and HydraConfig.get().mode != RunMode.MULTIRUN:
        discard(run_dir)
        return
    with suppress(OSError):  # the log may be impossible to write
        log.exception("this run failed")


def _end_sweep(folder: Path) -> bool:
    """Print the sweep's table, and what has failed without a row in it; whether every job finished."""
    if not folder.is_dir():  # no job was begun
        return False
    failed = print_sweep(folder) + len(unrecorded_failures)
    for message in unrecorded_failures:
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
    return not failed
