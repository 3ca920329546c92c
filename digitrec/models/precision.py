"""Which number format a device computes fastest without losing accuracy."""

import torch


def native_precision(device: torch.device) -> str:
    """Lightning's name of a device's best precision: bf16-mixed where its units take bfloat16, else 32-true.

    torch emulates bfloat16 on any processor, many times slower, so that it runs proves nothing.
    """
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        capabilities = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        native = any(getattr(torch.cpu, name, lambda: False)() for name in capabilities)
    else:
        native = False
    return "bf16-mixed" if native else "32-true"
