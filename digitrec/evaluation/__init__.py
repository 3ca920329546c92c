"""Measures and pictures of what a trained network does."""
