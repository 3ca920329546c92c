"""Ways to train the 32/64 network on MNIST in batches of 128, each timed in a process of its own.

`python -m scripts.measure.benchmark.contenders NAME LAPS` trains LAPS epochs, each when a line arrives on its standard
input, and prints the images per second (`laps.py`). Ours start as `digitrec.train` does; the others are what a
competent person following the official tutorials writes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from digitrec.system.process import prepare_process
from scripts.measure.benchmark.laps import Laps
from scripts.measure.benchmark.measures import SIZES

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 128
FEW = 15_000  # images of an epoch of the slow ones; their rate does not depend on it


def ours(laps: Laps, overrides: Sequence[str] = (), size: int | None = None) -> None:
    """`digitrec.train` with all that comes with it: progress bar, TensorBoard, metrics, checkpoints.

    Args:
        laps: epochs to do.
        overrides: of its configuration.
        size: images to train on, MNIST's cut off or repeated; None takes them as they are.
    """
    prepare_process()
    import torch

    from digitrec import build
    from digitrec.config import compose
    from digitrec.data.datasets import Split
    from digitrec.system.patches import quiet_libraries
    from scripts.measure.benchmark.clock import Clock

    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        given = ["model=cnn", "trainer.accelerator=cpu", f"trainer.max_epochs={laps.number}", *overrides]
        settings = compose("train", given, folder)
        datamodule, trainer = build.build_datamodule(settings), build.build_trainer(settings)
        trainer.callbacks.append(Clock(laps))  # type: ignore[attr-defined]  # Lightning adds it at run time
        model = build.build_model(settings, datamodule)
        datamodule.prepare_data()
        datamodule.setup("fit")
        if size is not None:
            images, labels = datamodule.splits["train"]
            chosen = torch.arange(size) % len(labels)
            datamodule.splits["train"] = Split(images[chosen], labels[chosen])
        model.describe_data(datamodule.class_names, datamodule.mean, datamodule.std)
        laps.images = len(datamodule.splits["train"].labels)
        trainer.fit(model, datamodule)


def bare_loop(laps: Laps, augmentation: str = "none") -> None:
    """The same computation in a plain loop over tensors in memory: same network, optimizer, schedule, precision."""
    prepare_process()
    import torch
    import torch.nn.functional as F

    from digitrec import build
    from digitrec.config import compose
    from digitrec.data.augmentation import Compose
    from digitrec.models.precision import native_precision

    settings = compose("train", ["model=cnn", f"augmentation={augmentation}"])
    augment = Compose(build.build_all("augmentation", settings["augmentation"]))
    images, labels = _mnist()
    datamodule = build.build_datamodule(settings)
    datamodule.setup("fit")
    model = build.build_model(settings, datamodule)
    model.describe_data(datamodule.class_names, datamodule.mean, datamodule.std)
    assert model.recipe is not None
    optimizer = model.recipe.optimizer(model)
    scheduler = model.recipe.scheduler(optimizer, laps.number * -(-len(images) // BATCH))
    mixed = native_precision(torch.device("cpu")) == "bf16-mixed"

    def epoch() -> None:
        for chosen in torch.randperm(len(images)).split(BATCH):
            batch = images[chosen] if augmentation == "none" else augment(images[chosen].float() / 255)
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                loss = F.cross_entropy(model(batch).float(), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()

    _run(laps, epoch, len(images))


def usual_network(laps: Laps) -> None:
    """A plain loop with the network as everyone writes it, ReLU before pooling, and every tuning guide's advice."""
    import torch
    import torch.nn.functional as F

    from digitrec.models.precision import native_precision

    images, labels = _mnist()
    images = (images.float() / 255 - 0.1307) / 0.3081
    images = images.contiguous(memory_format=torch.channels_last)
    model = _usual_network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    mixed = native_precision(torch.device("cpu")) == "bf16-mixed"

    def epoch() -> None:
        for chosen in torch.randperm(len(images)).split(BATCH):
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                loss = F.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    _run(laps, epoch, len(images))


def tutorial(laps: Laps, workers: int = 0) -> None:
    """The usual LightningModule: torchvision's MNIST and transforms, a DataLoader, `self.log` each step, float32."""
    import torch
    import torch.nn.functional as F
    from lightning import LightningModule, Trainer
    from torch.utils.data import DataLoader, Subset
    from torchmetrics.classification import MulticlassAccuracy
    from torchvision import transforms
    from torchvision.datasets import MNIST

    from digitrec.data.datasets import data_root
    from scripts.measure.benchmark.clock import Clock

    class Net(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = _usual_network()
            self.accuracy = MulticlassAccuracy(10)

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
            images, labels = batch
            logits = self.net(images)
            loss = F.cross_entropy(logits, labels)
            self.accuracy(logits, labels)
            self.log("train_loss", loss, prog_bar=True)
            self.log("train_accuracy", self.accuracy, prog_bar=True)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    data = Subset(MNIST(str(data_root(None)), transform=transform), range(FEW))
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    laps.images = FEW
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(laps)
        trainer = Trainer(accelerator="cpu", max_epochs=laps.number, callbacks=[clock], default_root_dir=folder)
        trainer.fit(Net(), loader)


def evaluation(laps: Laps) -> None:
    """Test images a second, read by the trained kind of network as `digitrec.evaluate` reads them."""
    prepare_process()
    import torch

    from digitrec.data import datasets
    from digitrec.evaluation.predictions import predict
    from digitrec.models.cnn import CNN
    from digitrec.models.precision import native_precision

    split, model = datasets.load("mnist", "test"), CNN().eval()
    precision = native_precision(torch.device("cpu"))
    _run(laps, lambda: predict([model], split, precision=precision), len(split.labels))


CONTENDERS: dict[str, Callable[[Laps], None]] = {
    "digitrec": partial(ours, overrides=["data.val_size=0"]),
    "digitrec_affine": partial(ours, overrides=["data.val_size=0", "augmentation=affine"]),
    "digitrec_validated": ours,
    "digitrec_float32": partial(ours, overrides=["data.val_size=0", "trainer.precision=32-true"]),
    "digitrec_compiled": partial(ours, overrides=["data.val_size=0", "compile=true"]),
    "bare_loop": bare_loop,
    "bare_loop_affine": partial(bare_loop, augmentation="affine"),
    "usual_network": usual_network,
    "tutorial": tutorial,
    "tutorial_workers": partial(tutorial, workers=2),
    "evaluation": evaluation,
    **{f"images_{size}": partial(ours, overrides=["data.val_size=0"], size=size) for size in SIZES},
}


def main() -> None:
    """Run the contender that the command line names; what else it prints goes to standard error."""
    name, number = sys.argv[1:]
    rates = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    CONTENDERS[name](Laps(int(number), sys.stdin, rates))


def _run(laps: Laps, epoch: Callable[[], object], images: int) -> None:
    laps.images = images
    for _ in range(laps.number):
        laps.begin()
        epoch()
    laps.end()


def _mnist() -> tuple[Tensor, Tensor]:
    from digitrec.data import datasets

    datasets.prepare("mnist")
    return datasets.load("mnist", "train")


def _usual_network() -> nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


if __name__ == "__main__":
    main()
