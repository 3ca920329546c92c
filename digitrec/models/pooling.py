"""Max-pooling that compiles well."""

from functools import reduce

import torch
from torch import Tensor, nn


class MaxPool2d(nn.MaxPool2d):
    """Max-pooling over squares that don't overlap; compiled, as maxima of rows, then of columns.

    The compiler fuses these with what stands around them; pooling as such it makes slower than torch does. Where values
    are equal, which happens in bfloat16, they share the gradient then, of which otherwise the first gets all.

    Args:
        size: side of a square in pixels; rows and columns that fill none are left out.
    """

    kernel_size: int

    def __init__(self, size: int = 2) -> None:
        super().__init__(size)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) -> (B, C, H // size, W // size)."""
        if not torch.compiler.is_compiling() or torch.compiler.is_exporting():
            pooled: Tensor = super().forward(images)
            return pooled
        size = self.kernel_size
        height, width = (side // size * size for side in images.shape[2:])
        # Slices, not unbind: its gradient is a stack, which the compiler does not fuse (nearly four times a step).
        tall = reduce(torch.maximum, [images[:, :, start:height:size] for start in range(size)])
        return reduce(torch.maximum, [tall[..., start:width:size] for start in range(size)])
