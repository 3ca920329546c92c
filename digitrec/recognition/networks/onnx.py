"""Networks in ONNX files, read by onnxruntime without torch."""

import json
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from digitrec.errors import CheckpointError, UsageError, needs_extra
from digitrec.preprocessing.framing import SIDE
from digitrec.recognition.networks.opening import BATCH, Images, Probabilities, check_answer, described
from digitrec.wording import first_line

SHAPE = [1, SIDE, SIDE]  # of an image
INPUTS: dict[str, type[np.uint8] | type[np.float32]] = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
LARGEST = 500_000_000  # bytes of a file
MOST_THREADS = 4  # small images don't get faster by more
SILENT = 4  # onnxruntime's severity of what it prints: its errors reach us as exceptions


class OnnxNetwork:
    """A network that digitrec.export wrote as ONNX.

    Attributes:
        class_names: one per class.
        threshold: certainty below which it saw no digit; None if it never learnt to doubt.

    Raises:
        CheckpointError: the file can't be read, or is not such a network.
        UsageError: the extra onnx is missing.
    """

    def __init__(self, path: str | Path) -> None:
        if not (find_spec("onnx") and find_spec("onnxruntime")):
            raise UsageError(needs_extra(str(path), "onnx"))
        content = _content(Path(path))
        try:
            _check_graph(content)
            self._session = _session(content)
            self.class_names, self.threshold = _description(self._session)
            self._name, self._type = _input(self._session)
            check_answer(self)
        except Exception as error:  # whatever a file of unknown origin makes three libraries trip over
            reason = first_line(error) or type(error).__name__
            raise CheckpointError(f"{path}: not a network that digitrec.export wrote: {reason:.200}") from error

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""
        batches = [images[start : start + BATCH, None] for start in range(0, len(images), BATCH)]
        return np.concatenate([self._read(batch) for batch in batches])

    def _read(self, images: Images) -> Probabilities:
        given = images if self._type is np.uint8 else images / np.float32(255)
        probabilities: Probabilities = self._session.run(None, {self._name: given})[0]
        return probabilities


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; expected one that digitrec.export wrote") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if not content:
        raise CheckpointError(f"{path}: {size:,} bytes, expected 1 to {LARGEST:,}")
    return content


def _check_graph(content: bytes) -> None:
    """Refuse what no file of ours has: weights in other files, wherever they lie, and loops, which may never end."""
    import onnx

    model = onnx.load_model_from_string(content)
    if model.functions or model.graph.sparse_initializer:
        raise ValueError("it has functions or sparse weights of its own, expected a plain graph")
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ValueError(f"{node.op_type} has a graph of its own, expected a plain graph")
    if any(tensor.external_data or tensor.data_location for tensor in _tensors(model)):
        raise ValueError("it keeps weights in other files, expected one file")


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors


def _session(content: bytes) -> Any:
    """Onnxruntime's session, with few threads, which sleep while they wait."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(SILENT)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = _threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _threads() -> int:
    """What the person's environment says, else the cores that this process may use, up to four."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said):
        return int(said)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, MOST_THREADS)


def _description(session: Any) -> tuple[tuple[str, ...], float | None]:
    """Names of the classes, and the threshold."""
    metadata = session.get_modelmeta().custom_metadata_map
    if "digitrec" not in metadata:
        raise ValueError("it does not say what its classes are")
    return described(json.loads(metadata["digitrec"]))


def _input(session: Any) -> tuple[str, type[np.uint8] | type[np.float32]]:
    """Name and type of its images."""
    given = session.get_inputs()
    shapes = [item.shape for item in given]
    if len(given) != 1 or shapes[0][1:] != SHAPE or isinstance(shapes[0][0], int):
        raise ValueError(f"it takes {', '.join(map(str, shapes))}, expected images of shape ['N', 1, 28, 28]")
    if given[0].type not in INPUTS:
        raise ValueError(f"it takes images of {given[0].type}, expected uint8 or float")
    return given[0].name, INPUTS[given[0].type]
