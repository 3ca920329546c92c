"""Which key was probably meant by one that does not exist."""

from collections.abc import Iterable, Iterator
from typing import Any

from digitrec.system.wording import near

# What other frameworks call a setting: the last part of its name here.
ELSEWHERE = {
    **dict.fromkeys(("learning_rate", "base_lr", "max_lr"), "lr"),
    **dict.fromkeys(("epoch", "epochs", "n_epochs", "num_epochs", "num_train_epochs"), "max_epochs"),
    **dict.fromkeys(("bs", "batch", "batchsize", "train_batch_size"), "batch_size"),
    **dict.fromkeys(("wd", "decay"), "weight_decay"),
    **dict.fromkeys(("gpus", "num_gpus", "n_gpus", "nproc_per_node"), "devices"),
    **dict.fromkeys(("device", "cuda", "use_cuda"), "accelerator"),
    **dict.fromkeys(("data_dir", "data_path", "dataroot"), "root"),
    **dict.fromkeys(("val_split", "val_ratio", "validation_split"), "val_size"),
    **dict.fromkeys(("datamodule", "dm"), "data"),
    **dict.fromkeys(("net", "network", "arch", "architecture", "backbone"), "model"),
    **dict.fromkeys(("optim", "opt"), "optimizer"),
    **dict.fromkeys(("lr_scheduler", "sched", "schedule"), "scheduler"),
    **dict.fromkeys(("augment", "augmentations", "transform", "transforms"), "augmentation"),
    **dict.fromkeys(("logs", "loggers"), "logger"),
    **dict.fromkeys(("amp", "fp16", "bf16"), "precision"),
    **dict.fromkeys(("clip_grad", "grad_clip", "max_norm"), "gradient_clip_val"),
    **dict.fromkeys(("ckpt", "pretrained", "weights", "checkpoint"), "init_from"),
    **dict.fromkeys(("ckpt_path", "resume_from"), "resume"),
    **dict.fromkeys(("random_seed", "random_state", "manual_seed"), "seed"),
    "optimized_metric": "objective",
}


def suggest(path: str, siblings: Iterable[str], settings: Any = None) -> str:
    """', did you mean x?' for an unknown key: one of its siblings, or of all settings one of the same name; or ''."""
    parent, _, name = path.rpartition(".")
    prefix = f"{parent}." if parent else ""
    meant = ELSEWHERE.get(name, name)
    beside = [f"{prefix}{sibling}" for sibling in siblings]
    same = [key for key in (*beside, *_paths(settings)) if key != path and key.rpartition(".")[2] == meant]
    return f", did you mean {same[0]}?" if same else near(path, beside)


def _paths(node: Any, prefix: str = "") -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{key}"
        yield from _paths(value, f"{prefix}{key}.")
