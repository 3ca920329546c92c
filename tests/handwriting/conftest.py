import pytest

from digitrec import Recognizer


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    """With the shipped weights."""
    return Recognizer()
