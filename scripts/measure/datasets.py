"""The picture of docs/DATA.md, one image of each of ten classes: python -m scripts.measure.datasets [mnist ...].

Named data sets are read from DIGITREC_DATA_DIR; the embedded and the synthetic ones need none.
"""

import sys
from pathlib import Path

from digitrec.data.datasets import Split, load
from digitrec.data.synthetic.non_digits import non_digits
from digitrec.data.synthetic.written import written_digits
from digitrec.reports.figures import augmentation_grid

FILE = Path("docs/images/datasets.png")


def main() -> None:
    """Draw a row for each data set, the embedded digits first."""
    splits = {name: load(name, "train") for name in ("digits", *sys.argv[1:])}
    rows = {name: _one_of_each(split) for name, split in splits.items()}
    rows["written"] = _one_of_each(written_digits(200, 0))
    rows["non_digits"] = non_digits(10, 3)
    images = {name: split.images.float() / 255 for name, split in rows.items()}
    first, *others = images
    augmentation_grid(images[first], {name: images[name] for name in others}, first).savefig(FILE, dpi=90)


def _one_of_each(split: Split) -> Split:
    chosen = [int((split.labels == label).nonzero()[3]) for label in range(10)]
    return Split(split.images[chosen], split.labels[chosen])


if __name__ == "__main__":
    main()
