"""Everything that is measured, by its name: each in processes of its own, as a person would start it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from itertools import chain
from math import ceil
from pathlib import Path

from digitrec.weights import HANDWRITING
from scripts.measure.benchmark.laps import Contender

TRAIN = ("-m", "digitrec.train", "trainer.accelerator=cpu", "logger=tensorboard", "test=false")
SIZES = (15_000, 30_000, 60_000, 120_000, 240_000)  # images of an epoch
SWEEP = ("-m", "model=mlp", "data=digits", "trainer.max_epochs=10", "seed=1,2,3,4,5,6,7,8")
FIRST_STEP = """
import os, sys
from digitrec import train
from digitrec.training.throughput import Throughput
def stop(self, *arguments):
    os._exit(0)
Throughput.on_train_batch_end = stop
sys.argv = ["train", "model=cnn", "trainer.accelerator=cpu", "hydra.run.dir=" + sys.argv[1]]
train.main()
"""
IMPORTS = "import torch, lightning, torchvision"

Measure = Callable[[], float]


def race(names: Sequence[str], rounds: int) -> Iterator[tuple[str, float | None]]:
    """Images a second of contenders that do an epoch in turn, round by round.

    Nothing comes from the first round, in which kernels are chosen.
    """
    with ExitStack() as stack:
        racing = {name: stack.enter_context(Contender(name, rounds + 1)) for name in names}
        for number in range(rounds + 1):
            for name, contender in racing.items():
                rate = contender.lap()
                yield name, rate if number else None


def two_processes() -> float:
    """Images a second of training with two processes of one thread each, gradients averaged."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("model=cnn", "trainer=ddp", "data.batch_size=64", "data.val_size=0", "trainer.max_epochs=3")
        _python(*TRAIN, *options, f"hydra.run.dir={folder}/run", OMP_NUM_THREADS="1")
        metrics = json.loads((Path(folder) / "run" / "metrics.json").read_text(encoding="utf-8"))
    rate: float = metrics["train/images_per_second"]
    return rate


def one_image(runtime: str) -> float:
    """Milliseconds that the shipped network takes for one image, by numpy or onnxruntime."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(HANDWRITING)
        if runtime == "onnxruntime":
            file = f"{folder}/digits.onnx"
            _python("-m", "digitrec.export", "--format=onnx", "-o", file)
        return float(_python("-m", "scripts.measure.benchmark.one_image", file))


def seconds(*arguments: str, fails: bool = False) -> float:
    """Of a whole command."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        _python(*(argument.format(folder=folder) for argument in arguments), fails=fails)
        return time.perf_counter() - start


def first_output(*arguments: str) -> float:
    """Seconds until a command prints its first line; it is ended there."""
    with tempfile.TemporaryDirectory() as folder:
        given = [argument.format(run=_trained_run().name) for argument in arguments]
        start = time.perf_counter()
        process = subprocess.Popen(  # our own commands
            [sys.executable, *given], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        printed = process.stdout.readline()
        taken = time.perf_counter() - start
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    if not printed:
        raise ChildProcessError(f"{' '.join(given)}: printed nothing")
    return taken


@cache
def _trained_run() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()  # removed when the program ends
    _python(*TRAIN, "model=cnn", "data=digits", "trainer.max_epochs=1", f"hydra.run.dir={folder.name}")
    return folder


def megabytes(*arguments: str) -> float:
    """Of memory, the most that a command held at once."""
    with tempfile.TemporaryDirectory() as folder:
        given = (argument.format(folder=folder) for argument in arguments)
        process = subprocess.Popen(  # our own commands
            [sys.executable, *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise ChildProcessError(f"{' '.join(arguments)}: exit status {status}")
    return usage.ru_maxrss / 1024


def _python(*arguments: str, fails: bool = False, **environment: str) -> str:
    done = subprocess.run(  # our own commands
        [sys.executable, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if bool(done.returncode) != fails:
        raise ChildProcessError(f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


KERAS = ("keras",) if "KERAS_PYTHON" in os.environ else ()
RACES = {  # contenders that take turns -> how many rounds they do of those asked for
    (
        "digitrec", "bare_loop", "usual_network", "digitrec_validated", "evaluation", "tutorial", "tutorial_workers",
        *KERAS,
    ): 1,
    ("digitrec_affine", "bare_loop_affine"): 1,
    tuple(f"images_{size}" for size in SIZES): 1 / 2,
    ("digitrec_float32", "digitrec_compiled"): 1 / 4,
}  # fmt: skip
STARTS: dict[str, Measure] = {  # half as often as rounds are asked for
    "imports": partial(seconds, "-c", IMPORTS),
    "first_step": partial(seconds, "-c", FIRST_STEP, "{folder}"),
    **{
        f"{name}_output": partial(first_output, "-m", f"digitrec.{name}", *arguments)
        for name, arguments in {
            "evaluate": ("checkpoint={run}", "accelerator=cpu"),
            "tune": ("model=mlp", "data=digits", "trials=1"),
            "export": ("--checkpoint={run}", "--format=onnx", "--output=digits.onnx"),
            "app": ("--checkpoint={run}", "--port=0", "--no-browser"),
        }.items()
    },
    "help": partial(seconds, "-m", "digitrec.train", "--help"),
    "wrong_key": partial(seconds, "-m", "digitrec.train", "model.dropot=0.1", fails=True),
}
ONCE: dict[str, Measure] = {
    "two_processes": two_processes,
    "imports_memory": partial(megabytes, "-c", IMPORTS),
    "training_memory": partial(megabytes, *TRAIN, "model=cnn", "trainer.max_epochs=1", "hydra.run.dir={folder}/run"),
    "sweep_in_turn": partial(seconds, *TRAIN, *SWEEP, "hydra.sweep.dir={folder}/sweep"),
    "sweep_side_by_side": partial(
        seconds, *TRAIN, *SWEEP, "hydra.sweep.dir={folder}/sweep", "hydra/launcher=side_by_side"
    ),
    "one_image_numpy": partial(one_image, "numpy"),
    "one_image_onnxruntime": partial(one_image, "onnxruntime"),
    "one_epoch": partial(seconds, *TRAIN[:-1], "experiment=one_epoch", "hydra.run.dir={folder}/run"),
}
NAMES = [*chain.from_iterable(RACES), *STARTS, *ONCE]


def measurements(names: Collection[str], rounds: int) -> tuple[int, Iterator[tuple[str, float | None]]]:
    """How many steps it takes to measure what is named, and the steps: a name, and its value if the step gives one."""
    races = [([name for name in race if name in names], ceil(rounds * share)) for race, share in RACES.items()]
    alone = [name for name in (*list(STARTS) * ceil(rounds / 2), *ONCE) if name in names]
    steps = sum(len(racing) * (laps + 1) for racing, laps in races) + len(alone)
    raced = chain.from_iterable(race(racing, laps) for racing, laps in races)
    return steps, chain(raced, ((name, (STARTS | ONCE)[name]()) for name in alone))
