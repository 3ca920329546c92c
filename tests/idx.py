"""Small data sets in the format of MNIST's files."""

import struct
from pathlib import Path

import numpy as np


def idx_file(array: np.ndarray) -> bytes:
    """An array of uint8 or int32 in the IDX format."""
    code, kind = {"uint8": (8, ">u1"), "int32": (12, ">i4")}[array.dtype.name]
    header = struct.pack(f">{1 + array.ndim}I", code << 8 | array.ndim, *array.shape)
    return header + array.astype(kind).tobytes()


def write_qmnist(root: Path, images: np.ndarray, labels: np.ndarray, writers: np.ndarray, train: int = 40) -> None:
    """Test images (N, 28, 28) of QMNIST with their labels and writers, and the first of them to train on."""
    raw = root / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    table = np.zeros((len(labels), 8), np.int32)  # class, series, writer and five more
    table[:, 0], table[:, 2] = labels, writers
    for split, size in (("train", train), ("test", len(labels))):
        (raw / f"qmnist-{split}-images-idx3-ubyte").write_bytes(idx_file(images[:size]))
        (raw / f"qmnist-{split}-labels-idx2-int").write_bytes(idx_file(table[:size]))
