import os
import platform
import sys

import pytest

from digitrec.system.process import OWN_MEMORY, OWN_WAITING
from tests.command import run_command

TRAINING = """
import resource
from digitrec.system.process import prepare_process
prepare_process()
import torch
from digitrec.models.cnn import CNN

model, images = CNN(), torch.rand(128, 1, 28, 28)

def pages_mapped_after(steps):
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(images).float().square().mean()
        loss.backward()
        model.zero_grad()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

warm = pages_mapped_after(10)
print((pages_mapped_after(20) - warm) / 20)
"""


def in_a_process(code: str, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_MEMORY | OWN_WAITING}
    return run_command(sys.executable, "-c", code, env=inherited | environment, code=0).out


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep memory")
def test_a_training_step_uses_the_memory_of_the_step_before() -> None:
    # 0.05 on a quiet machine, 58 on a busy one; 980 to 2,400 without prepare_process
    assert float(in_a_process(TRAINING)) < 200


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_wait_as_the_environment_says_and_else_without_spinning_long(
    environment: dict[str, str], expected: str
) -> None:
    code = "import os, digitrec.system.process as p; p.prepare_process(); print(os.environ.get('GOMP_SPINCOUNT'))"
    assert in_a_process(code, **environment).strip() == expected
