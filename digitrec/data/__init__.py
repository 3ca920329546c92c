"""Data sets as tensors in memory, batches as slices, augmentation on the device."""
