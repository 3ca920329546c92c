"""How every Hydra entry point starts and ends: errors in a line or two, exit codes, the sweep's table."""

import errno
import logging
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from digitrec.bounds import bound_configurations
from digitrec.commandline import as_path, is_sweep, quote_note, spelled_path, value
from digitrec.composition import CHOSEN, CONFIG, SAID, read_composition
from digitrec.config import CONF_DIR
from digitrec.errors import DigitrecError, FolderTakenError, UsageError
from digitrec.guard import guard_hydra
from digitrec.naming import name_jobs, register_resolvers
from digitrec.nodes import check_place
from digitrec.process import leave, prepare_process
from digitrec.rerun import check_rerun, keep_original
from digitrec.resume import point_to_run
from digitrec.side_by_side import register_launcher
from digitrec.sweep import Untold, print_sweep
from digitrec.terminal import outlive_readers
from digitrec.training.run_record import LOCK, signal_exit_code
from digitrec.wording import first_line, near

log = logging.getLogger("run")  # into the run's log file, not onto the terminal

Task = Callable[[DictConfig, Path], float | None]

COMPOSITION = (CONFIG, CHOSEN, SAID)
EXTRAS = {
    "hydra/launcher/submitit_local": "cluster",
    "hydra/launcher/submitit_slurm": "cluster",
}  # which of ours brings an option of Hydra's
WITH_NOTE = {"train", "tune"}
SEARCH_PATH = "hydra.searchpath"
OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE}  # not our doing
DONE, FAILED, USAGE = 0, 1, 2
HUNG_UP, INTERRUPTED, WARNED, TERMINATED = 129, 130, 140, 143
SIGNALS = {
    HUNG_UP: "hung up",
    INTERRUPTED: "interrupted",
    WARNED: "ended before its time limit",
    TERMINATED: "terminated",
}


def launch(task: Task, config_name: str) -> NoReturn:
    """Run a task once, or once per job of a sweep, with the configuration that the command line composes.

    Args:
        task: configuration, run folder -> value of the objective.
        config_name: primary configuration, a file in conf/.

    Raises:
        SystemExit: 0 done, 1 failed, 2 wrong usage or configuration, 129 hung up, 130 interrupted,
            140 warned of a time limit, 143 terminated.
    """
    asked = os.environ.setdefault("DIGITREC_TRACEBACK", str(int("HYDRA_FULL_ERROR" in os.environ)))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on to us instead of printing them
    outlive_readers()
    logging.raiseExceptions = False  # that a log can't be written is said once, not by each message to it
    for number in (getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, and a shell's background, have one ignored
            signal.signal(number, leave)
    register_resolvers()
    guard_hydra()
    bound_configurations()
    register_launcher()
    if config_name in WITH_NOTE:
        sys.argv[1:] = map(quote_note, sys.argv[1:])
    sys.argv[1:] = name_jobs(sys.argv[1:])
    try:
        if config_name == "tune":
            _check_one_job(sys.argv[1:])
        if config_name == "train":
            check_place(sys.argv[1:])
            check_rerun(sys.argv[1:])
            sys.argv[1:] = point_to_run(sys.argv[1:], partial(_compose_exactly, config_name))
        code = _run(task, config_name)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        code = _exit_code(error)
        if asked != "0" and isinstance(error, Exception):
            traceback.print_exception(error)
        elif code in SIGNALS:
            print(SIGNALS[code], file=sys.stderr)  # noqa: T201
        elif code in (FAILED, USAGE) and not isinstance(error, SystemExit):
            _print_error(error, config_name)
    sys.exit(code if SweepStart.folder is None else _end_sweep(SweepStart.folder, code, config_name))


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
            from digitrec.cluster import outlive_lost_jobs

            outlive_lost_jobs()


def _run(task: Task, config_name: str) -> int:
    errors: list[Exception] = []
    SweepStart.folder = None
    Untold.messages.clear()

    def job(cfg: DictConfig) -> float | None:
        prepare_process()
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
            _discard(run_dir)
        raise


def keep_composition(cfg: DictConfig, run_dir: Path) -> None:
    """Write what was composed, and from which overrides, into `run_dir`/.hydra.

    Hydra itself would write before anybody can know whether the folder holds another run.

    Raises:
        FolderTakenError: another program has left its composition there.
    """
    if (run_dir / CHOSEN).exists() and read_composition(run_dir) is None:  # ours is written before that
        raise FolderTakenError(f"{run_dir}: its .hydra is another program's; choose another folder")
    ours = HydraConfig.get()
    (run_dir / ".hydra").mkdir(exist_ok=True)
    for name, content in zip(COMPOSITION, (cfg, {"hydra": ours}, ours.overrides.task), strict=True):
        (run_dir / name).write_text(OmegaConf.to_yaml(content), encoding="utf-8")
    if cfg.get("rerun") is not None:
        keep_original(as_path(cfg.rerun), run_dir)


def _discard(run_dir: Path) -> None:
    """Remove what a run left that never began, and nothing else."""
    for name in (*COMPOSITION, "run.json", LOCK):
        (run_dir / name).unlink(missing_ok=True)
    if (log_file := run_dir / "run.log").is_file() and not log_file.stat().st_size:
        log_file.unlink()
    for folder in (run_dir / ".hydra", run_dir):
        with suppress(OSError):  # something of the person's is in it
            folder.rmdir()


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


def _print_error(error: BaseException, config_name: str) -> None:
    match error:
        case MissingConfigException(missing_cfg_file=str(missing)):
            text = _missing_option(missing, error)
        case OverrideParseException() if "=" not in error.override:
            text = f"{error.override}: expected key=value, such as seed=1; --help lists the keys"
        case OverrideParseException():
            text = f"{error.override}: {first_line(error)}; a value with spaces or signs needs quotes: 'key=\"value\"'"
        case ConfigCompositionException():
            text = _composition_error(error, config_name)
        case HydraException() | OmegaConfBaseException():
            text = first_line(error)
        case DigitrecError():
            text = str(error)
        case OSError() if error.errno in OUTSIDE:
            text = ": ".join(str(word) for word in (error.filename, error.strerror) if word)
        case _:
            traceback.print_exception(error)
            return
    print(f"error: {text}", file=sys.stderr)  # noqa: T201


def _missing_option(missing: str, error: MissingConfigException) -> str:
    if missing in EXTRAS:
        return f"this launcher needs the extra {EXTRAS[missing]}: pip install 'digitrec[{EXTRAS[missing]}]'"
    group, _, option = missing.rpartition("/")
    options = list(error.options or [])
    if not group or not options:
        return first_line(error)
    return f"{group}={option}: no such option{near(option, options, f'{group}=')}; there are {', '.join(options)}"


def _composition_error(error: Exception, config_name: str) -> str:
    """The key that Hydra could not override, and the one that was probably meant."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    found = re.search(r"Could not (?:override|append to|delete).*?'([^']+)'", str(error))
    if found is None:
        return " ".join(str(error).split("\n")[:2])
    key = found.group(1)
    parent, _, name = key.rpartition(".")
    known = _known_keys(config_name, parent)
    if name in known:
        return first_line(cause)
    hint = near(name, known, f"{parent}." if parent else "") or f"; known: {', '.join(known)}"
    if parent and not known:
        hint = f"; choose an option of {parent} first: {parent}=..."
    given = [argument for argument in sys.argv[1:] if argument.lstrip("+~").partition("=")[0] == key]
    origin = f" (from the command line: {given[0]})" if given else ""
    return f"{key}: unknown key{hint}{origin}"


def _known_keys(config_name: str, parent: str) -> list[str]:
    """Keys beside a wrong one, from the composition of all those overrides that Hydra accepts alone."""
    cfg = _compose(config_name, [argument for argument in sys.argv[1:] if re.match(r"[a-z_/]+=[\w,]+$", argument)])
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return [str(key) for key in node if key != "_target_"] if isinstance(node, DictConfig) else []


def _compose(config_name: str, overrides: list[str]) -> DictConfig:
    try:
        return _compose_exactly(config_name, [override for override in overrides if "," not in override])
    except (HydraException, OmegaConfBaseException):
        return _compose_exactly(config_name, [])


def _compose_exactly(config_name: str, overrides: list[str]) -> DictConfig:
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra.compose(config_name, [*overrides, *_search_path(overrides)])


def _search_path(overrides: list[str]) -> list[str]:
    """What stands for `--config-dir`, which only Hydra's own command line knows, beside a search path that is given."""
    folders = [f"'{Path(folder).resolve()}'" for folder in _config_folders(sys.argv)]
    given = (value(overrides, SEARCH_PATH) or "").strip().removeprefix("[").removesuffix("]")
    return [f"{SEARCH_PATH}=[{','.join(filter(None, [*folders, given]))}]"] if folders else []


def _config_folders(arguments: list[str]) -> list[str]:
    """Folders given as `--config-dir F`, `--config-dir=F`, `-cd F` or `-cd=F`."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    given = [(flag, inline, after) for text, after in pairs for flag, _, inline in [text.partition("=")]]
    return [inline or after for flag, inline, after in given if flag in ("--config-dir", "-cd")]
