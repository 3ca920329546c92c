"""Labels with a meaning of their own."""

from collections.abc import Iterable

DIGITS = tuple("0123456789")
NO_DIGIT = -1  # label of training images that show none of the classes


def are_digits(class_names: Iterable[str]) -> bool:
    """Is each class a single digit? Of others, letters or numbers for instance, all ink of a picture may be part."""
    return set(DIGITS).issuperset(class_names)
