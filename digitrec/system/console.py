"""Only what a person needs to read reaches the terminal."""

import logging
import sys
import warnings
from typing import TextIO

# Each of these is true of every run of ours and asks for nothing.
UNNEEDED = (
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


def quiet_libraries(*, every_warning: bool = True) -> None:
    """Keep Lightning's banners and known harmless warnings out of the terminal; other warnings pass, in one line.

    Importing Lightning sets its log level, so this comes after it. Of several processes only one needs to warn.
    """
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # compile=true: that there is no CUDA
    for message in UNNEEDED:
        warnings.filterwarnings("ignore", message)
    if not every_warning:
        warnings.simplefilter("ignore")
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"warning: {message}", file=file or sys.stderr)
