"""Labels with a meaning of their own."""

from collections.abc import Iterable
from typing import Any

DIGITS = tuple("0123456789")
NO_DIGIT = -1  # label of training images that show none of the classes


def are_digits(class_names: Iterable[str]) -> bool:
    """Is each class a single digit? Of others, letters or numbers for instance, all ink of a picture may be part."""
    return set(DIGITS).issuperset(class_names)


def checked_class_names(names: Any) -> tuple[str, ...]:
    """The names of a network's classes, as data or a file of unknown origin give them.

    Raises:
        ValueError: they are not at least two different texts.
    """
    texts = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not texts or len(names) < 2 or len({*names}) < len(names):
        raise ValueError("its classes have no names of their own, expected two or more different texts")
    return tuple(names)
