"""A strange yaml file can't take the machine's memory or time, or run anything."""

import resource
import sys
from pathlib import Path

import pytest

from tests.command import Command, write_experiment

HEADER = "# @package _global_\n"
BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
HOSTILE = {
    "a number of 100,000 digits": (f"seed: {'1' * 100_000}\n", "mine.yaml:2: a number of 100,000 digits"),
    "an infinite number": ("seed: 1e999999\n", "seed=Infinity"),
    "lists in lists": (f"model: {'[' * 100_000}{']' * 100_000}\n", "more than 50 deep"),
    "lists just too deep": (f"model: {'[' * 60}{']' * 60}\n", "more than 50 deep"),
    "mappings in mappings": ("".join(f"{' ' * i}a:\n" for i in range(200)), "more than 50 deep"),
    "anchors that multiply": (BOMB, "more than 100,000 values, with what anchors stand for"),
    "an anchor in itself": ("a: &a [*a]\n", "deep"),
    "interpolations that multiply": (
        "a0: x\n" + "".join(f"a{i}: {f'${{a{i - 1}}}' * 10}\n" for i in range(1, 12)),
        "interpolations that stand for each other",
    ),
    "megabytes": ("# x\n" * 600_000, "longer than 262,144 characters"),
    "a program": ("a: !!python/object/apply:os.system [touch pwned]\n", "python/object/apply:os.system"),
    "no mapping": ("- 1\n", "mine"),
    "a number alone": ("0\n", "mine.yaml: holds 0 alone, expected settings"),
    "a truth alone": ("true\n", "mine.yaml: holds True alone, expected settings"),
    "bytes": ("\x00\x01", "mine"),
}
# What would take the most memory or time, or run something.
QUICK = ["lists in lists", "anchors that multiply", "interpolations that multiply", "a program"]
FILES = [pytest.param(case, marks=[] if case in QUICK else pytest.mark.slow) for case in HOSTILE]


def limited() -> None:
    """No more memory than a start without torch takes."""
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("case", FILES)
def test_a_hostile_file_is_refused_by_name_in_bounded_memory(case: str, spawn_train: Command, tmp_path: Path) -> None:
    text, message = HOSTILE[case]
    outcome = spawn_train(*write_experiment(tmp_path, HEADER + text), preexec_fn=limited, code=2)
    assert message in outcome.err
    assert len(outcome.err) < 1000
    assert not list(tmp_path.glob("outputs/train/*"))
    assert not (tmp_path / "pwned").exists()


def test_anchors_work_as_long_as_they_are_few(run_train: Command, tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path, f"{HEADER}seed: &number 5\nmodel:\n  filters: [8, *number]\n")
    assert "- 8\n  - 5\n" in run_train(*experiment, "--cfg", "job", code=0).out


ALIASES = [
    "torch.load", "torch.serialization.load", "torch.hub.load", "torch.utils.cpp_extension.load", "builtins.open",
    "io.open", "_io.open", "os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.exec",
    "digitrec.system.process.os.system", "digitrec.config.check.os.system", "digitrec.models.cnn.torch.load",
    "digitrec.build.shutil.rmtree",
    "digitrec.run_folder.record.subprocess.run", "digitrec.data.files.shutil.rmtree", "pathlib.Path.unlink",
    "lightning.pytorch.callbacks.os.system", "lightning.pytorch.trainer.trainer.torch.load", "importlib.import_module",
    "hydra.utils.call", "hydra.utils.get_method", "digitrec.train.main",
]  # fmt: skip


PLACES = ["optimizer", "scheduler", "+callbacks.x", "logger.tensorboard", "trainer", "data", "+hydra.callbacks.x"]
CASES = [*(("model", target) for target in ALIASES), *((place, "os.system") for place in PLACES)]


@pytest.mark.parametrize(("place", "target"), CASES)
def test_no_name_of_a_dangerous_function_is_built(place: str, target: str, run_train: Command, tmp_path: Path) -> None:
    override = f"{place}={{_target_:{target}}}" if place.startswith("+") else f"{place}._target_={target}"
    run_train("data=digits", override).assert_refused(target, lines=2)
    assert not list(tmp_path.glob("outputs/train/*"))


VAST = {
    "model=mlp model.hidden=[100000000,100000000]": "model: ",
    f"model=mlp model.hidden=[{10**30}]": "model: ",
    "model.hidden=1000000000000": "model: ",
    "model.kernel_size=1000000": "model: ",
    "model=residual model.blocks=[1000000000,1]": "model: blocks=[1000000000, 1]",
    f"data.eval_batch_size={10**30}": "data.eval_batch_size=",
    f"trainer.accumulate_grad_batches={10**30}": "trainer.accumulate_grad_batches=",
    f"data.split_seed={10**30}": "data.split_seed=",
    "data.written=1000000000": "data.written=",
    "data.non_digits=1000000000": "data.non_digits=",
    f"augmentation=shift augmentation.shift.pixels={10**30}": "augmentation.shift.pixels=",
}


@pytest.mark.parametrize("settings", VAST)
def test_settings_beyond_any_machine_are_refused_by_name(settings: str, run_train: Command, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_train("data=digits", "trainer.accelerator=cpu", *settings.split()).assert_refused(VAST[settings])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB
    assert not list(tmp_path.glob("outputs/train/*"))


def test_home_is_known_in_files_as_on_the_command_line(
    run_train: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    mine = write_experiment(tmp_path, f"{HEADER}hydra:\n  run:\n    dir: ~/runs/one\nnote: ~/x\n")
    assert run_train(*mine, "--cfg=hydra", "--package=hydra.run").out.splitlines()[-1] == "dir: /home/anna/runs/one"
    assert "\nnote: ~/x\n" in run_train(*mine, "--cfg=job").out
