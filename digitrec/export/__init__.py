"""Trained networks in files that others can use: ONNX, torch.export, and a page that reads in the browser."""
