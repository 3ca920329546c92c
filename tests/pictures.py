"""Pictures of users' own, drawn for a test."""

from pathlib import Path

from PIL import Image


def draw_pictures(folder: Path, level: str = "dash", upright: str = "one") -> Path:
    """Five pictures of a level stroke and five of an upright one, black on white, in a sub-folder for each class."""
    for name, box in ((level, (4, 14, 24, 16)), (upright, (14, 4, 16, 24))):
        (folder / name).mkdir(parents=True)
        for number in range(5):
            picture = Image.new("L", (28, 28), 255)
            picture.paste(number, box)
            picture.save(folder / name / f"{number}.png")
    return folder
