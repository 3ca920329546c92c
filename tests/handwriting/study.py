"""How settings read strangers' digits: python -m tests.handwriting.study data.non_digits=3000.

A short training of experiment=handwriting, of forms of which a third is left out; read are digits in the forms left
out, those of pictures too, and the 1,797 digits of other people that come with scikit-learn.
"""

import sys
from tempfile import TemporaryDirectory

import numpy as np
import torch
from lightning import seed_everything
from numpy.random import default_rng

from digitrec import build
from digitrec.config import compose
from digitrec.data import datasets
from digitrec.data.datasets import Split
from digitrec.data.ink import draw, pens
from digitrec.data.strokes import NAMES, Hand, write
from digitrec.evaluation.predictions import predict
from digitrec.pictures.digit import find_digit
from digitrec.training.console import quiet_libraries
from tests.handwriting.digits import STRANGER
from tests.handwriting.situations import picture

LEFT_OUT = [
    *("0-slashed_through", "0-inner_tail", "0-square", "1-curved_flag", "1-long_flag_footed"),
    *("2-large_loop", "2-z_like", "2-curled_head", "3-flat_topped", "3-looped_waist", "3-square"),
    *("4-open_round", "4-long_crossbar", "4-curved_stem", "5-loose_bar", "5-curled", "5-pointed"),
    *("6-nearly_closed", "6-spiral", "6-angular", "7-serif_barred", "7-arched", "7-curved_barred"),
    *("8-from_middle", "8-open", "8-heart_topped", "8-angular", "9-hooked", "9-loop", "9-open", "9-angular"),
]
SITUATIONS = [
    *("mouse", "mouse_thin", "mouse_unsmoothed", "finger", "transparent", "white_on_black"),
    *("legal_pad", "ruled_scan", "ballpoint_photo", "marker", "pencil", "blue_pen"),
]
SHORT = ["experiment=handwriting", "data.val_size=5000", "data.limit=20000", "data.written=5000", "data.non_digits=0"]
QUICK = ["trainer.max_epochs=8", "logger=none", "test=false"]


def main() -> None:
    """Train with the settings that are given, and print what share is read right."""
    with TemporaryDirectory() as folder:
        settings = compose("train", [*SHORT, *QUICK, *sys.argv[1:]], folder)
        quiet_libraries()
        torch.set_num_threads(1)
        seed_everything(settings["seed"], verbose=False)
        kept = [name for name in NAMES if name not in LEFT_OUT]
        written, settings["data"]["written"] = settings["data"]["written"], 0
        data = build.build_datamodule(settings)
        trainer, model = build.build_trainer(settings), build.build_model(settings, data)
        data.prepare_data()
        data.setup("fit")
        data.splits["train"] = joined(data.splits["train"], forms(kept, None, written, 0))
        model.describe_data(data.class_names, data.mean, data.std)
        trainer.fit(model, datamodule=data)
    model.eval()
    for name, split in {"validation": data.splits["val"], **strangers()}.items():
        print(f"{name}: {predict([model], split).correct.double().mean():.2%} of {len(split.labels)}")  # noqa: T201


def forms(names: list[str], hand: Hand | None, count: int, seed: int, thin: float = 0.15, thick: float = 0.1) -> Split:
    """Digits in some of the forms."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    strokes = write(labels, generator, styles=names, hand=hand)
    return Split(draw(strokes, pens(strokes, generator, thin, thick)), labels)


def joined(first: Split, second: Split) -> Split:
    """The images of both."""
    return Split(torch.cat([first.images, second.images]), torch.cat([first.labels, second.labels]))


def strangers() -> dict[str, Split]:
    """Digits of other hands than those of training."""
    return {
        "forms left out": forms(LEFT_OUT, STRANGER, 4000, 5, thin=0.3, thick=0.15),
        "other people": joined(*(datasets.load("digits", name) for name in ("train", "test"))),
        "pictures": pictures(),
    }


def pictures(each: int = 3) -> Split:
    """Pictures of digits in the forms left out, so many of each digit and situation."""
    rng = default_rng(0)
    images, labels = [], []
    for situation in SITUATIONS:
        for number in range(10 * each):
            styles = [name for name in LEFT_OUT if name.startswith(f"{number % 10}-")]
            style = styles[rng.integers(len(styles))]
            images.append(find_digit(picture(number % 10, situation, 9000 + number // 10, style=style)))
            labels.append(number % 10)
    return Split(torch.from_numpy(np.stack(images))[:, None], torch.tensor(labels))


if __name__ == "__main__":
    main()
