import sys
from pathlib import Path

import pytest
from PIL import Image

from digitrec import preview


def test_the_picture_has_a_row_for_the_originals_and_each_augmentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HYDRA_FULL_ERROR", "DIGITREC_TRACEBACK"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    arguments = ["data=digits", "rows.affine.affine.degrees=30", "+augmentation@rows.mine=[affine,erasing]"]
    monkeypatch.setattr(sys, "argv", ["digitrec-preview", *arguments])
    with pytest.raises(SystemExit, match="0"):
        preview.main()
    (picture,) = tmp_path.glob("outputs/preview/*/augmentations.png")
    assert str(picture) in capsys.readouterr().out
    width, height = Image.open(picture).size
    assert height / width == pytest.approx(9 / 8, rel=0.15)  # nine rows of eight digits, beside their names
