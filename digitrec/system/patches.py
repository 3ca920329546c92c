"""Every change to another library's modules while a program runs: why, in which version, what breaks without it.

`lean_imports.py` beside it changes how libraries are imported, `terminal.py` the standard streams.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml
    from hydra.plugins.launcher import Launcher

# Each is true of every run of ours and asks for nothing.
HARMLESS_WARNINGS = (
    r".*does not have many workers.*",  # batches are slices of tensors: workers would only copy them
    r".*Checkpoint directory .* exists and is not empty.*",  # two callbacks share the folder on purpose
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",  # inside Lightning, about torch
    r".*number of training batches .* is smaller than the logging interval.*",  # steps are counted over the whole run
    r".*ended before the epoch ended and your dataloader is not resumable.*",  # it asks the trainer where it was
    r".*Total length of `list` across ranks is zero.*",  # data.val_size=0
    r".*`ModelCheckpoint\(monitor='val/accuracy'\)` could not find.*",  # likewise: the last checkpoint is tested
    r".*sync_dist=True.*",  # torchmetrics has already summed over processes
    r'.*install "ipywidgets" for Jupyter support.*',  # a notebook shows plain lines instead
    r".*The `srun` command is available.*",  # a hint about SLURM
    r".*lr_scheduler\.step\(\).*before.*optimizer\.step\(\).*",  # Lightning steps them in the right order
)


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


@cache
def check_hydra_targets(check_target: Callable[[str, str], None], check_logging: Callable[[str], None]) -> None:
    """Check what Hydra builds for itself, before it does (hydra-core 1.3.8).

    Its part of a configuration takes effect before our check: an experiment file can set `hydra.callbacks` or
    `hydra.job_logging`, which can name any callable. Hydra has a list of forbidden ones, which lacks builtins.open, and
    no public place for a list of allowed ones.

    Args:
        check_target: target, its key -> raises an error if it is not allowed.
        check_logging: the same for a name in a logging configuration.
    """
    from hydra._internal.instantiate import _instantiate2
    from hydra._internal.logging_config import HydraDictConfigurator

    resolve_target, resolve_logging = _instantiate2._resolve_target, HydraDictConfigurator.resolve

    def checked_target(target: Any, full_key: str) -> Any:
        if isinstance(target, str):
            check_target(target, full_key)
        return resolve_target(target, full_key)

    def checked_logging(self: HydraDictConfigurator, name: str) -> Any:
        check_logging(name)
        return resolve_logging(self, name)

    _instantiate2._resolve_target = checked_target
    HydraDictConfigurator.resolve = checked_logging  # type: ignore[assignment, method-assign]


@cache
def limit_omegaconf(
    limited: "Callable[[type[yaml.SafeLoader]], type[yaml.SafeLoader]]", count_interpolation: Callable[[], None]
) -> None:
    """Let a few lines of yaml stand for no more than a machine has (omegaconf 2.3, which has no limits).

    It copies what an anchor stands for each time it is used, and resolves interpolations as often as they are used.

    Args:
        limited: OmegaConf's class of yaml loaders -> one with limits.
        count_interpolation: called for each interpolation; raises an error when there are too many.
    """
    from omegaconf import Container, _utils

    get_yaml_loader, resolve = _utils.get_yaml_loader, Container.resolve_parse_tree

    def counted_resolve(self: Container, *arguments: Any, **options: Any) -> Any:
        count_interpolation()
        return resolve(self, *arguments, **options)

    _utils.get_yaml_loader = lambda: limited(get_yaml_loader())
    Container.resolve_parse_tree = counted_resolve  # type: ignore[method-assign]


def register_launcher(launcher: "type[Launcher]", target: str) -> None:
    """Make a launcher known to Hydra, which takes plugins only from packages of its own naming (hydra-core 1.3.8)."""
    from hydra.core.plugins import Plugins

    package = target.rpartition(".")[0]
    sys.modules[package] = sys.modules[launcher.__module__]
    launcher.__module__ = package
    Plugins.instance().register(launcher)


def use_submitit_executor(executor: Any, watcher: Any) -> None:
    """Have Hydra's launcher hand jobs to this executor, and SLURM's states come from this watcher.

    Hydra's launcher ends with the first job that is killed and leaves the others alone; submitit asks for states only
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
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # compile=true: that there is no CUDA
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message)
    if not every_warning:
        warnings.simplefilter("ignore")
    warnings.showwarning = lambda message, category, filename, lineno, file=None, line=None: print(
        f"warning: {message}", file=file or sys.stderr
    )
