"""The public names can be imported from where the documentation says."""

import importlib

import pytest

import digitrec
from digitrec import train


@pytest.mark.parametrize("name", sorted(digitrec.__all__))
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(digitrec, name).__name__ in (name, f"digitrec.{name}")


@pytest.mark.parametrize(
    ("module", "name"), [("digitrec.models", "CNN"), ("digitrec.models", "MLP"), ("digitrec.config", "compose")]
)
def test_a_room_offers_its_main_names(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is getattr(digitrec, name)


def test_train_is_the_module_of_the_command_and_of_the_function() -> None:
    assert callable(train.train)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        digitrec.nothing  # noqa: B018
