"""Synthetic training images: digits in many forms, and images without a digit."""
