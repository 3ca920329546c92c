"""Opens a trained network, whatever its format."""

from pathlib import Path

from digitrec.recognition.networks.network import Network
from digitrec.weights import CHECKPOINT, HANDWRITING, ONNX, SUFFIX, find_checkpoint


def open_network(path: str | Path | None = None) -> Network:
    """The network of a run folder, a .ckpt, .safetensors or .onnx file; None opens the shipped weights.

    Torch, which takes seconds to import, is imported only for checkpoints and for weights that don't list their layers.

    Raises:
        CheckpointError: it can't be read.
        UsageError: it takes other images than grey ones of 28x28 pixels, or onnxruntime is missing.
    """
    file = find_checkpoint(HANDWRITING if path is None else path, (CHECKPOINT, SUFFIX, ONNX))
    if file.suffix == ONNX:
        from digitrec.recognition.networks.onnx import OnnxNetwork

        return OnnxNetwork(file)
    if file.suffix == SUFFIX:
        from digitrec.recognition.networks.numpy import NumpyNetwork, lists_layers

        if lists_layers(file):
            return NumpyNetwork(file)
    from digitrec.recognition.networks.torch import TorchNetwork

    return TorchNetwork(file)
