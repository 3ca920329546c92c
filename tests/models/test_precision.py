from pathlib import Path

import pytest
import torch

from digitrec.models.precision import native_precision

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.is_file(), reason="asks Linux what the processor can do")
def test_a_processor_gets_bfloat16_only_if_it_has_the_units() -> None:
    text = CPUINFO.read_text(encoding="utf-8")
    flags = set(next((line.split() for line in text.splitlines() if line.startswith("flags")), []))
    native = bool(flags & {"avx512_bf16", "amx_tile"})
    assert native_precision(torch.device("cpu")) == ("bf16-mixed" if native else "32-true")


def test_torch_still_answers_what_is_asked_of_it() -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        assert isinstance(getattr(torch.cpu, name)(), bool)


def test_a_device_we_know_nothing_about_gets_32_bits() -> None:
    assert native_precision(torch.device("meta")) == "32-true"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gets_bfloat16_from_ampere_on() -> None:
    modern = torch.cuda.get_device_capability()[0] >= 8
    assert native_precision(torch.device("cuda", 0)) == ("bf16-mixed" if modern else "32-true")
