from pathlib import Path

import pytest
from PIL import Image

from digitrec import preview
from tests.command import Command


def test_the_picture_has_a_row_for_the_originals_and_each_augmentation(tmp_path: Path, run_main: Command) -> None:
    mine = "+augmentation@rows.mine=[affine,erasing]"
    outcome = run_main(preview.main, "data=digits", "rows.affine.affine.degrees=30", mine, code=0)
    (picture,) = tmp_path.glob("outputs/preview/*/augmentations.png")
    assert str(picture) in outcome.out
    width, height = Image.open(picture).size
    assert height / width == pytest.approx(9 / 8, rel=0.15)  # nine rows of eight digits, beside their names
