"""What is imported before the first step, and that everything else works as if it had been."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from digitrec.models.checkpoint import load_classifier
from digitrec.system import lean_imports
from tests.command import QUICK, run_command

HEAVY = (
    *("matplotlib", "scipy.ndimage", "scipy.optimize", "scipy.signal", "scipy.stats", "sklearn"),
    *("sympy", "torch._dynamo", "torch._inductor", "torchvision", "triton"),
)
FIRST_STEP = f"""
import os, sys
from digitrec import train
from digitrec.training.throughput import Throughput

def stop(self, *arguments):
    os.write(1, " ".join(name for name in {HEAVY} if name in sys.modules).encode())
    os._exit(0)

Throughput.on_train_batch_end = stop
sys.argv = ["train", "model=cnn", "data=digits", "trainer.accelerator=cpu", "logger=[tensorboard,csv]"]
train.main()
"""
EVERYTHING_ELSE = """
import sys
import digitrec
import lightning, torch, torchmetrics, torchvision
from lightning.fabric.utilities.throughput import measure_flops
from lightning.fabric.wrappers import _unwrap_compiled
from lightning.pytorch.utilities.compile import from_compiled, to_uncompiled
from digitrec.models.cnn import CNN
from digitrec.system.lean_imports import StandIn

def steps(model, optimizer):
    torch.manual_seed(0)
    for image in torch.rand(3, 8, 1, 28, 28):
        model(image).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: value.clone() for name, value in model.state_dict().items()}

plain = CNN()
twin = CNN()
twin.load_state_dict(plain.state_dict())
for module in (plain, twin):
    module.eval()
before = torch.optim.Adam(plain.parameters())
after = torch.optim.Adam(twin.parameters())
learnt = steps(plain, before)
assert "torch._dynamo" not in sys.modules
assert before.param_groups[0]["params"][0].grad is None

boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
assert torchvision.ops.box_iou(boxes, boxes).item() == 1
assert torchvision.models.resnet18().fc.in_features == 512
assert "torch._dynamo" not in sys.modules

metric = torchmetrics.Accuracy("multiclass", num_classes=3)
metric.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
assert type(metric.plot()[0]).__module__.startswith("matplotlib")
from torchmetrics.functional.audio import permutation_invariant_training, scale_invariant_signal_noise_ratio
speakers = torch.rand(2, 4, 100)
assert permutation_invariant_training(speakers, speakers, scale_invariant_signal_noise_ratio)[0].shape == (2,)
assert "scipy.optimize" in sys.modules
assert measure_flops(plain, lambda: plain(torch.rand(1, 1, 28, 28))) > 0

compiled = torch.compile(plain, backend="eager")
assert "torch._dynamo" in sys.modules
assert _unwrap_compiled(compiled)[0] is plain
assert to_uncompiled(from_compiled(compiled)) is plain
same = steps(twin, after)
assert all(torch.equal(learnt[name], same[name]) for name in learnt)
step = torch.compile(lambda: after.step(), backend="eager")
twin(torch.rand(2, 1, 28, 28)).mean().backward()
step()
assert not torch.equal(twin.state_dict()["head.1.weight"], learnt["head.1.weight"])
assert not [name for name, module in list(sys.modules.items()) if isinstance(module, StandIn)]
"""
OWN_NETWORK = """
import torch
from torch import nn
from torchvision.models import resnet18
from digitrec.models.classifier import DigitClassifier

class Own(DigitClassifier):
    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28) -> None:
        super().__init__(num_classes, in_channels, image_size)
        self.features = torch.compile(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), backend="eager")
        assert resnet18

    def forward(self, images):
        return self.features(self.normalise(images))
"""


def run(program: str, folder: Path, *arguments: str, **environment: str) -> str:
    return run_command(sys.executable, "-c", program, *arguments, cwd=folder, env=os.environ | environment, code=0).out


def test_nothing_heavy_is_imported_before_the_first_step(tmp_path: Path) -> None:
    assert run(FIRST_STEP, tmp_path).rpartition("\n")[2] == ""


@pytest.mark.slow
def test_what_was_left_out_works_when_it_is_used(tmp_path: Path) -> None:
    run(EVERYTHING_ELSE, tmp_path)


@pytest.mark.slow
def test_a_run_is_the_same_to_the_last_bit_with_everything_imported(tmp_path: Path) -> None:
    for name, lean in (("plain", "0"), ("lean", "1")):
        arguments = (*QUICK, "model=cnn", "augmentation=strong", f"hydra.run.dir={name}")
        run("from digitrec.train import main; main()", tmp_path, *arguments, DIGITREC_LEAN_IMPORTS=lean)
    weights = [load_classifier(tmp_path / name).state_dict() for name in ("plain", "lean")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.slow
def test_an_own_network_may_import_torchvision_and_compile(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN_NETWORK)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "own.yaml").write_text("_target_: own.Own\n")
    arguments = ("--config-dir=conf", *QUICK, "model=own")
    assert "Results" in run("from digitrec.train import main; main()", tmp_path, *arguments, DIGITREC_ALLOW="own")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from, in which importing `package` would import `rest` along."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lean_imports, "STAND_INS", {"package": {"package.rest": ["Base", "double"]}})
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "rest.py").write_text("class Base: pass\ndef double(x): return 2 * x\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def import_package(packages: Path, code: str) -> ModuleType:
    (packages / "package" / "__init__.py").write_text(code)
    return importlib.import_module("package")


def test_a_stand_in_is_gone_after_the_import_and_its_names_load_the_real_module(packages: Path) -> None:
    package = import_package(packages, "from package.rest import Base, double\nis_base = lambda x: isinstance(x, Base)")
    assert not package.is_base(1)
    assert "package.rest" not in sys.modules
    assert package.double(21) == 42
    assert type(sys.modules["package.rest"]) is ModuleType
    assert package.is_base(package.rest.Base())


def test_a_module_left_out_is_imported_when_its_package_is_asked_for_it(packages: Path) -> None:
    package = import_package(packages, "from package import rest")
    assert "package.rest" not in sys.modules
    assert package.rest.double(1) == 2
    with pytest.raises(AttributeError, match=r"package.*nothing"):
        _ = package.nothing


@pytest.mark.parametrize(
    "code",
    [
        "from package.rest import Base\nclass Child(Base): pass",  # it needs the class at once
        "import package.rest\nassert package.rest.double.__name__ == 'double'",
        "from package.rest import Base, Base as Other\nimport package.rest.deeper",
    ],
)
def test_an_import_that_fails_with_stand_ins_is_repeated_without(packages: Path, code: str) -> None:
    if "deeper" in code:
        (packages / "package" / "rest.py").unlink()
        (packages / "package" / "rest").mkdir()
        (packages / "package" / "rest" / "__init__.py").write_text("class Base: pass")
        (packages / "package" / "rest" / "deeper.py").touch()
    package = import_package(packages, code)
    assert isinstance(package.rest.Base(), package.rest.Base)
    assert type(sys.modules["package.rest"]) is ModuleType


def test_an_unforeseen_name_is_the_real_one(packages: Path) -> None:
    (packages / "package" / "rest.py").write_text("answer = 42")
    assert import_package(packages, "from package.rest import answer").answer == 42


def test_what_is_broken_says_so(packages: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        import_package(packages, "1 / 0")


def test_an_environment_variable_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", before := list(sys.meta_path))
    monkeypatch.setenv("DIGITREC_LEAN_IMPORTS", "0")
    lean_imports.install()
    assert sys.meta_path == before
