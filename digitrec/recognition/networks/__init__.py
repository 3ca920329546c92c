"""Trained networks in every form that can be read: shipped weights, checkpoints, ONNX files."""
