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
from digitrec.preprocessing.framing import SIDE, WHITE
from digitrec.recognition.networks.network import (
    FeatureMaps,
    Images,
    Probabilities,
    check_output,
    described,
    opening,
)
from digitrec.system.files import read_bytes
from digitrec.weights import BATCH

SHAPE = [1, SIDE, SIDE]  # of an image
INPUTS: dict[str, type[np.uint8] | type[np.float32]] = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
LARGEST = 500_000_000  # bytes of a file
MOST_THREADS = 4  # small images don't get faster by more
SILENT = 4  # onnxruntime's log severity: its errors are raised as exceptions anyway


class OnnxNetwork:
    """A network that digitrec.export wrote as ONNX.

    Attributes:
        class_names: one per class.
        threshold: confidence threshold, or None.

    Raises:
        CheckpointError: the file can't be read, or is not such a network.
        UsageError: the extra onnx is missing.
    """

    def __init__(self, path: str | Path) -> None:
        if not (find_spec("onnx") and find_spec("onnxruntime")):
            raise UsageError(needs_extra(str(path), "onnx"))
        content = _content(Path(path))
        with opening(path, "not a network that digitrec.export wrote"):
            _check_graph(content)
            self._session = _session(content)
            self.class_names, self.threshold, self.quantile = _description(self._session)
            self._name, self._type = _input(self._session)
            check_output(self)

    def __call__(self, images: Images) -> Probabilities:
        """Images (N, 28, 28), white ink on black -> probabilities (N, C)."""
        batches = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH, None]
            given = batch if self._type is np.uint8 else batch / np.float32(WHITE)
            batches.append(self._session.run(None, {self._name: given})[0])
        return np.concatenate(batches)

    def feature_maps(self, _image: Images) -> list[FeatureMaps]:
        """None: the file's graph gives only probabilities."""
        return []


def _content(path: Path) -> bytes:
    try:
        content = read_bytes(path, LARGEST)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if not content:
        raise CheckpointError(f"{path}: an empty file; expected a network that digitrec.export wrote")
    return content


def _check_graph(content: bytes) -> None:
    """Refuse what our files never have: weights in other files, which could name any file, and loops without end."""
    import onnx

    model = onnx.load_model_from_string(content)
    for message in _messages(model):
        kind = message.DESCRIPTOR.name
        if kind in ("FunctionProto", "SparseTensorProto", "TrainingInfoProto", "GraphProto"):
            if message is not model.graph:
                raise ValueError(f"it has a {kind} within its graph, expected a plain graph")
        elif kind == "TensorProto" and (message.external_data or message.data_location):
            raise ValueError("it keeps weights in other files, expected one file")


def _messages(message: Any) -> Iterator[Any]:
    """Everything within a message of protobuf, wherever the format allows it to stand."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield part
                yield from _messages(part)


def _session(content: bytes) -> Any:
    """Onnxruntime's session, with few threads, which sleep while they wait."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(SILENT)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = _threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was checked
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _threads() -> int:
    """OMP_NUM_THREADS if it is set, else the cores that this process may use, up to four."""
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    if chosen.isdecimal() and int(chosen):
        return int(chosen)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, MOST_THREADS)


def _description(session: Any) -> tuple[tuple[str, ...], float | None, float | None]:
    """Names of the classes, threshold and quantile."""
    metadata = session.get_modelmeta().custom_metadata_map
    if "digitrec" not in metadata:
        raise ValueError("it has no description of its classes")
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
