"""One .onnx file: images in, probabilities out, with the description of the network."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from digitrec import __version__
from digitrec.export.check import Reader
from digitrec.export.trained import Probabilities, Trained, example
from digitrec.recognition.networks.onnx import OnnxNetwork

OPSET, IR_VERSION = 18, 8  # of ONNX 1.13, which onnxruntime has read since 1.14, of February 2023


def write(trained: Trained, file: Path, input_type: str) -> None:
    """Write the graph, weights within.

    Args:
        trained: the network.
        file: to be written.
        input_type: "uint8" for images in 0..255, "float" for float32 in [0, 1].
    """
    import onnx

    program = torch.onnx.export(
        Probabilities(trained.classifier).eval(),
        (example(input_type),),
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("N")},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _drop_origin(model)
    onnx.helper.set_model_props(model, trained.metadata)
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "digitrec", __version__
    model.doc_string = _usage(input_type)
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(model.SerializeToString())


def opened(file: Path, input_type: str) -> Reader:
    """The file as `digitrec.predict` opens it: images uint8 (N, 1, 28, 28), for both input types -> (N, C)."""
    network = OnnxNetwork(file)

    def read(images: Tensor) -> Tensor:
        return torch.from_numpy(network(images[:, 0].numpy()))

    return read


def _usage(input_type: str) -> str:
    values = "uint8 in 0..255" if input_type == "uint8" else "float32 in [0, 1]"
    return f"images (N, 1, 28, 28), {values}, white ink on black, framed as MNIST's -> probabilities (N, classes)"


def _drop_origin(model: Any) -> None:
    """Drop torch's notes on each node, which name files and lines of this computer."""
    for part in (model.graph, *model.functions):
        for item in (*part.node, *part.value_info):
            del item.metadata_props[:]
            item.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
