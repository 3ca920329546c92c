"""Trained networks in files that others can use: ONNX, torch.export, and a page that reads in the browser."""

NETWORK = "network.bin"  # in the folder of a page, and the first file written there
