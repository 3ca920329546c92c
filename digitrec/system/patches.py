"""Every change to another library's modules while a program runs: why, in which version, what breaks without it.

`lean_imports.py` beside it changes how libraries are imported, `terminal.py` the standard streams.
"""

import hashlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import yaml
    from hydra.plugins.launcher import Launcher

# Each is true of every run of ours and needs no action.
HARMLESS_WARNINGS = (
    r".*does not have many workers.*",  # batches are slices of tensors: workers would only copy them
    r".*logs directory .* exists and is not empty.*",  # only metrics.csv is replaced, and written again
    r".*Checkpoint directory .* exists and is not empty.*",  # two callbacks share the folder on purpose
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",  # inside Lightning, about torch
    r".*number of training batches .* is smaller than the logging interval.*",  # steps are counted over the whole run
    r".*ended before the epoch ended and your dataloader is not resumable.*",  # it takes its place from the trainer
    r".*Total length of `list` across ranks is zero.*",  # data.val_size=0
    r".*`ModelCheckpoint\(monitor='val/accuracy'\)` could not find.*",  # likewise: the last checkpoint is tested
    r".*sync_dist=True.*",  # torchmetrics has already summed over processes
    r'.*install "ipywidgets" for Jupyter support.*',  # a notebook shows plain lines instead
    r".*The `srun` command is available.*",  # a hint about SLURM
    r".*lr_scheduler\.step\(\).*before.*optimizer\.step\(\).*",  # Lightning steps them in the right order
)

_printed: set[str] = set()  # warnings of this command
_shared: Path | None = None  # folder with a file for each warning that one of several processes has printed


@cache
def list_groups_quickly() -> None:
    """Let Hydra's help copy its repository once, not once per group: a third of its time (hydra-core 1.3.8)."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    name = "_parse_overrides_and_create_caching_repo"
    parse = getattr(ConfigLoaderImpl, name)

    @cache
    def once(self: ConfigLoaderImpl, config_name: str | None, overrides: tuple[str, ...]) -> Any:
        return parse(self, config_name, list(overrides))

    setattr(ConfigLoaderImpl, name, lambda self, config_name, overrides: once(self, config_name, tuple(overrides)))


def _before(owner: Any, name: str, check: Callable[..., object]) -> None:
    """Call a check, which raises an error where something is wrong, before each call of somebody else's function."""
    original = getattr(owner, name)

    def checked(*arguments: Any, **options: Any) -> Any:
        check(*arguments, **options)
        return original(*arguments, **options)

    setattr(owner, name, checked)


@cache
def check_hydra_targets(check_target: Callable[[str, str], None], check_logging: Callable[[str], None]) -> None:
    """Check what Hydra builds for itself, by name and key, and what a logging configuration names (hydra-core 1.3.8).

    Its part of a configuration takes effect before our check: an experiment file can set `hydra.callbacks` or
    `hydra.job_logging`, which can name any callable. Hydra has a list of forbidden ones, which lacks builtins.open, and
    no public place for a list of allowed ones.
    """
    from hydra._internal.instantiate import _instantiate2
    from hydra._internal.logging_config import HydraDictConfigurator

    def check(target: Any, full_key: str) -> None:
        if isinstance(target, str):
            check_target(target, full_key)

    _before(_instantiate2, "_resolve_target", check)
    _before(HydraDictConfigurator, "resolve", lambda _, name: check_logging(name))


@cache
def check_hydra_files(check_file: Callable[[str, Path], None], header_lines: Callable[[str], str]) -> None:
    """Check each file of settings, by its group, and find its header where Hydra does not (hydra-core 1.3.8).

    Hydra's own errors about encodings name no file, and it finds `# @package` only above all other lines.
    """
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins
    from hydra.plugins.config_source import ConfigSource

    def check(source: Any, config_path: str) -> None:
        file = Path(source.path, source._normalize_file_name(config_path))
        if file.is_file():
            check_file(config_path.rpartition("/")[0], file)

    Plugins.instance()  # which imports the class of sources under a name of its own, and registers it
    _before(SourcesRegistry.instance().resolve("file"), "load_config", check)
    read_header = ConfigSource._get_header_dict
    ConfigSource._get_header_dict = staticmethod(lambda text: read_header(header_lines(text)))  # type: ignore[assignment]


@cache
def limit_omegaconf(
    limited: "Callable[[type[yaml.SafeLoader]], type[yaml.SafeLoader]]", count_interpolation: Callable[[], None]
) -> None:
    """Let a few lines of yaml stand for no more than a machine has (omegaconf 2.3, which has no limits).

    It copies what an anchor stands for each time it is used, and resolves interpolations as often as they are used.
    `limited` makes a class of yaml loaders one with limits; `count_interpolation` raises an error for one too many.
    """
    from omegaconf import Container, _utils

    get_yaml_loader = _utils.get_yaml_loader
    _utils.get_yaml_loader = lambda: limited(get_yaml_loader())
    _before(Container, "resolve_parse_tree", lambda *_, **__: count_interpolation())


def register_launcher(launcher: "type[Launcher]", target: str) -> None:
    """Make a launcher known to Hydra, which takes plugins only from packages of its own naming (hydra-core 1.3.8)."""
    from hydra.core.plugins import Plugins

    package = target.rpartition(".")[0]
    sys.modules[package] = sys.modules[launcher.__module__]
    launcher.__module__ = package
    Plugins.instance().register(launcher)


def use_submitit_executor(executor: Any, watcher: Any) -> None:
    """Have Hydra's launcher hand jobs to this executor, and SLURM's states come from this watcher.

    Hydra's launcher ends with the first job that is killed and leaves the others alone; submitit queries states only
    every ten minutes (hydra-submitit-launcher 1.2.0, submitit 1.5).
    """
    import submitit
    from submitit.slurm.slurm import SlurmJob

    SlurmJob.watcher = watcher
    submitit.AutoExecutor = executor  # type: ignore[misc]  # where the launcher looks for it


def number_event_files_from_zero() -> None:
    """Number TensorBoard's files of a run from 0, not from what earlier runs of this process wrote (tensorboard 2.21).

    It reads the files of one second in the order of this number as text, 10 before 9, and would drop the first values.
    """
    from tensorboard.summary.writer import event_file_writer

    event_file_writer._global_uid = event_file_writer.AtomicCounter(0)


@cache
def quiet_event_writer() -> None:
    """Keep the traceback of TensorBoard's writing thread off the terminal (tensorboard 2.21).

    What it could not write, for want of room, is raised again by the next call to the writer.
    """
    from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

    run = _AsyncWriterThread.run

    def quiet_run(self: Any) -> None:
        with suppress(OSError):
            run(self)

    _AsyncWriterThread.run = quiet_run


def quiet_libraries(*, every_warning: bool = True) -> None:
    """Hide Lightning's banners and known harmless warnings; print other warnings in one line.

    Importing Lightning sets its log level, so this comes after it. Of several processes only one needs to warn.
    """
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # that it makes a first experiment
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # compile=true: that there is no CUDA
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message)
    if not every_warning:
        warnings.simplefilter("ignore")
    warnings.showwarning = _print_once


def _print_once(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning that no job of this command has printed so far."""
    new = str(message) not in _printed
    _printed.add(str(message))
    if new and _shared is not None:
        try:
            _shared.joinpath(hashlib.sha256(str(message).encode()).hexdigest()).touch(exist_ok=False)
        except FileExistsError:
            new = False
    if new:
        print(f"warning: {message}", file=file or sys.stderr)


def forget_warnings() -> None:
    """Let each be printed again: another command begins."""
    _printed.clear()


@contextmanager
def share_warnings() -> Iterator[None]:
    """Print each once over all processes that are forked meanwhile."""
    global _shared
    with TemporaryDirectory() as folder:
        _shared = Path(folder)
        try:
            yield
        finally:
            _shared = None
