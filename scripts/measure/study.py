"""How strong the augmentation of the shipped weights should be: python -m scripts.measure.study.

Short trainings of experiment=handwriting, of forms of which a third is left out. Read are held-out images of MNIST,
digits in the forms left out, pictures of such, the 1,797 digits of other people that come with scikit-learn, and
pictures of what is no digit; MNIST's test images are not among them. Each training's figures are a line of --results
as soon as it ends, and what has a line there is not trained again. Settings, data.non_digits=0 for instance, are for
all trainings.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from lightning import seed_everything
from numpy.random import default_rng

from digitrec import build
from digitrec.config import compose
from digitrec.data import datasets
from digitrec.data.datasets import Split
from digitrec.data.labels import NO_DIGIT
from digitrec.data.synthetic.ink import draw, pens
from digitrec.data.synthetic.strokes import NAMES, Hand, write
from digitrec.evaluation.predictions import predict
from digitrec.models.classifier import DigitClassifier
from digitrec.preprocessing.digit import find_digit
from digitrec.recognition.rejection import certainties, threshold_for
from digitrec.system.patches import quiet_libraries
from tests.handwriting.digits import STRANGER
from tests.handwriting.situations import picture
from tests.handwriting.strange import STRANGE, sketch

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
SHORT = [
    "experiment=handwriting",
    "data.val_size=5000",
    "data.limit=20000",
    "data.written=5000",
    "data.non_digits=3000",
]
QUICK = ["trainer.max_epochs=8", "callbacks=[default]", "logger=none", "test=false"]
AMOUNTS = {"affine": ("degrees", "shift", "scale", "shear"), "elastic": ("alpha",), "thickness": ("pixels",)}
COLUMNS = ("validation", "forms left out", "other people", "pictures", "pictures refused", "no digits taken")
Figures = dict[str, float]


def main() -> None:
    """Train with every strength and seed that has no line yet, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.measure.study", description=__doc__)
    parser.add_argument("settings", nargs="*", help="for all trainings, such as data.non_digits=0")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--strengths", nargs="+", choices=strengths(), default=list(strengths()))
    parser.add_argument("--results", type=Path, default=Path("outputs/study.jsonl"))
    given = parser.parse_intermixed_args()
    wanted = [(name, seed, given.settings) for seed in given.seeds for name in given.strengths]
    done = results(given.results)
    todo = [key for key in wanted if key not in [found for found, _ in done]]
    for number, (name, seed, settings) in enumerate(todo, start=1):
        _print(f"training {number} of {len(todo)}: augmentation {name}, seed {seed} {' '.join(settings)}")
        start = perf_counter()
        figures = measure(train([*strengths()[name], *settings, f"seed={seed}"]))
        line = {"strength": name, "seed": seed, "settings": settings, **figures, "seconds": perf_counter() - start}
        given.results.parent.mkdir(parents=True, exist_ok=True)
        with given.results.open("a") as file:
            file.write(json.dumps(line) + "\n")
    _print("", *table([(key, figures) for key, figures in results(given.results) if key in wanted]))


def strengths() -> dict[str, list[str]]:
    """The settings of each strength of augmentation."""
    parts = compose("train", ["experiment=handwriting"])["augmentation"]
    shipped = {f"{part}.{name}": parts[part][name] for part, names in AMOUNTS.items() for name in names}
    times = {
        factor: [f"augmentation.{name}={factor * amount:g}" for name, amount in shipped.items()]
        for factor in (0.5, 1.5)
    }
    without = {part: f"~augmentation.{part}" for part in AMOUNTS}
    return {
        "none": list(without.values()),
        "affine only": [without["elastic"], without["thickness"]],
        "half": times[0.5],
        "as shipped": [],
        "1.5 times": times[1.5],
    }


def train(settings: Sequence[str]) -> DigitClassifier:
    """A network that was trained for a short time, the forms left out unseen."""
    with TemporaryDirectory() as folder:
        node = compose("train", [*SHORT, *QUICK, *settings], folder)
        quiet_libraries()
        torch.set_num_threads(1)
        seed_everything(node["seed"], verbose=False)
        written, node["data"]["written"] = node["data"]["written"], 0
        data = build.build_datamodule(node)
        trainer, model = build.build_trainer(node), build.build_model(node, data)
        data.prepare_data()
        data.setup("fit")
        kept = [name for name in NAMES if name not in LEFT_OUT]
        data.splits["train"] = joined(data.splits["train"], forms(kept, None, written, 0))
        model.describe_data(data.class_names, data.mean, data.std)
        trainer.fit(model, datamodule=data)
    return model.eval()


def measure(model: DigitClassifier) -> Figures:
    """Shares read right; and at the threshold that 99 % of people's held-out digits reach, shares refused and taken."""
    predictions = {name: predict([model], split) for name, split in {**held_out(), **strangers()}.items()}
    figures = {name: float(found.correct.double().mean()) for name, found in predictions.items()}
    confidence = {name: certainties(found.probabilities.numpy()) for name, found in predictions.items()}
    threshold = threshold_for(np.concatenate([confidence["validation"], confidence["other people"]]))
    figures["pictures refused"] = float((confidence["pictures"] < threshold).mean())
    figures["no digits taken"] = float((confidence["no digits"] >= threshold).mean())
    return {name: figures[name] for name in COLUMNS}


def forms(names: list[str], hand: Hand | None, count: int, seed: int, thin: float = 0.15, thick: float = 0.1) -> Split:
    """Digits in some of the forms."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    strokes = write(labels, generator, styles=names, hand=hand)
    return Split(draw(strokes, pens(strokes, generator, thin, thick)), labels)


def joined(first: Split, second: Split) -> Split:
    """The images of both."""
    return Split(torch.cat([first.images, second.images]), torch.cat([first.labels, second.labels]))


@cache
def held_out() -> dict[str, Split]:
    """MNIST's training images that no training here sees."""
    data = build.build_datamodule(compose("train", SHORT))
    data.prepare_data()
    data.setup("validate")
    return {"validation": data.splits["val"]}


@cache
def strangers() -> dict[str, Split]:
    """Digits of other hands than those of training, and what is no digit."""
    return {
        "forms left out": forms(LEFT_OUT, STRANGER, 4000, 5, thin=0.3, thick=0.15),
        "other people": joined(*(datasets.load("digits", name) for name in ("train", "test"))),
        "pictures": pictures(),
        "no digits": no_digits(),
    }


def pictures(each: int = 3) -> Split:
    """Pictures of digits in the forms left out, so many of each digit and situation."""
    rng = default_rng(0)
    images, labels = [], []
    for situation in SITUATIONS:
        for number in range(10 * each):
            styles = [name for name in LEFT_OUT if name.startswith(f"{number % 10}-")]
            style = styles[rng.integers(len(styles))]
            images.append(find_digit(picture(number % 10, situation, 9000 + number // 10, style=style)).image)
            labels.append(number % 10)
    return Split(torch.from_numpy(np.stack(images))[:, None], torch.tensor(labels))


def no_digits(each: int = 40) -> Split:
    """Pictures of the kinds that no training sees, others than those that tests and docs/WEIGHTS.md count."""
    images = np.stack([find_digit(sketch(kind, 5000 + number)).image for kind in STRANGE for number in range(each)])
    return Split(torch.from_numpy(images)[:, None], torch.full((len(images),), NO_DIGIT))


Key = tuple[str, int, list[str]]


def results(path: Path) -> list[tuple[Key, Figures]]:
    """What earlier calls have found."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        ((line["strength"], line["seed"], line["settings"]), {name: line[name] for name in COLUMNS}) for line in lines
    ]


def table(found: list[tuple[Key, Figures]]) -> list[str]:
    """Mean and standard deviation over seeds, in Markdown."""
    rows = [f"| augmentation | seeds | {' | '.join(COLUMNS)} |", f"| --- |{' --- |' * (len(COLUMNS) + 1)}"]
    for name in dict.fromkeys(name for (name, _, _), _ in found):
        runs = [figures for (strength, _, _), figures in found if strength == name]
        cells = [_spread([figures[column] for figures in runs]) for column in COLUMNS]
        rows.append(f"| {name} | {len(runs)} | {' | '.join(cells)} |")
    return rows


def _spread(shares: list[float]) -> str:
    return f"{mean(shares):.2%}" + (f" ± {100 * stdev(shares):.2f}" if len(shares) > 1 else "")


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
