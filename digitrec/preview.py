"""Draw what each augmentation does to eight digits: python -m digitrec.preview data=digits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from digitrec.config.check import check
from digitrec.config.schema import PreviewConfig
from digitrec.launch import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def _task(cfg: DictConfig, run_dir: Path) -> None:
    settings = check(cfg, PreviewConfig)

    import torch

    from digitrec import build
    from digitrec.data.augmentation import Compose
    from digitrec.reports.figures import augmentation_grid
    from digitrec.system.patches import quiet_libraries

    quiet_libraries()
    datamodule = build.build_datamodule(settings)
    datamodule.prepare_data()
    datamodule.setup("fit")
    split = datamodule.splits["train"]
    firsts = [int((split.labels == label).nonzero()[0]) for label in split.labels.unique() if label >= 0][:8]
    images = split.images[firsts].float() / 255
    rows = {}
    for name, nodes in settings["rows"].items():
        torch.manual_seed(settings["seed"])
        rows[name] = Compose(build.build_all(f"rows.{name}", nodes))(images)
    picture = run_dir / "augmentations.png"
    augmentation_grid(images, rows).savefig(picture, dpi=150)
    print(f"wrote {picture}")  # noqa: T201


main = partial(launch, _task, "preview")  # entry point of the command line

if __name__ == "__main__":
    main()
