import pytest

from digitrec.system.wording import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [(0, "run", "0 runs"), (1, "image", "1 image"), (2000, "image", "2,000 images"), (3, "class", "3 classes")],
)
def test_one_thing_is_no_plural(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words
