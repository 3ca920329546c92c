"""Weights to hand on: a .safetensors file with the network's name and what is known of it, and no pickle."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from digitrec.errors import CheckpointError
from digitrec.models.plain import Layer

ONLY_FOR_TRAINING = {"settings", "seen"}  # parts of a checkpoint's description


def write_portable(
    checkpoint: Mapping[str, Any],
    card: Mapping[str, Any],
    file: Path,
    threshold: float | None = None,
    layers: Sequence[Layer] | None = None,
) -> None:
    """Write a checkpoint's weights and its description, without what only training needs.

    Args:
        checkpoint: as `read_checkpoint` gives it.
        card: facts for people: command, seed, accuracy, licence; plain values.
        file: ends in .safetensors.
        threshold: certainty below which the network saw no digit, in [0, 1]; None if it never learnt to doubt.
        layers: by which it is read without torch, as `plain_layers` lists them; None if it has others.
    """
    weights = {name: tensor.contiguous() for name, tensor in checkpoint["state_dict"].items()}
    metadata = description({**checkpoint["digitrec"], "threshold": threshold}, card)
    save_file(weights, file, metadata if layers is None else metadata | {"layers": json.dumps(layers)})


def description(about: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, str]:
    """What travels with weights into any format, as JSON: `digitrec`, all that using them needs, and the `card`."""
    needed = {name: value for name, value in about.items() if name not in ONLY_FOR_TRAINING}
    return {"digitrec": json.dumps(needed), "card": json.dumps(dict(card))}


def read_portable(file: Path) -> dict[str, Any]:
    """Content of a file as a checkpoint: `digitrec`, `state_dict`, and `card` besides.

    Raises:
        CheckpointError: it can't be read, or was not written by `write_portable`.
    """
    try:
        with safe_open(file, framework="pt") as content:
            metadata = content.metadata() or {}
            weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - not a mapping
        about, card = (json.loads(metadata[name]) for name in ("digitrec", "card"))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{file}: damaged, or no weights that digitrec wrote: {error}") from error
    return {"digitrec": about, "state_dict": weights, "card": card}
