"""The space of a search: the part `tune` of a configuration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from digitrec.config.origin import origin
from digitrec.errors import UsageError
from digitrec.run_folder.settings import spelled
from digitrec.system.wording import near

CHOICE, UNIFORM, LOG_UNIFORM, INT = KINDS = ("choice", "uniform", "log_uniform", "int")
DIGITS = 3  # significant ones of a proposed number, easy to read and type

Value = str | float | int | bool | None


@dataclass(frozen=True)
class Dimension:
    """A setting that is searched.

    Attributes:
        name: dotted, as in `optimizer.lr`, or that of a group.
        kind: choice, uniform, log_uniform or int.
        values: the options, lists spelled as on the command line; or the lowest and the highest.
    """

    name: str
    kind: str
    values: tuple[Any, ...]

    def tidy(self, value: Value) -> Value:
        """A proposed number with few digits, within the bounds."""
        if self.kind not in (UNIFORM, LOG_UNIFORM):
            return value
        assert isinstance(value, int | float)
        low, high = self.values
        return float(min(max(float(f"{value:.{DIGITS}g}"), low), high))

    def holds(self, value: Value) -> bool:
        """Whether a value could be proposed."""
        if self.kind == CHOICE:
            return value in self.values
        low, high = self.values
        return isinstance(value, int | float) and not isinstance(value, bool) and bool(low <= value <= high)


def read_space(tune: Mapping[str, Any], settings: Mapping[str, Any], groups: Mapping[str, Any]) -> list[Dimension]:
    """Dimensions of a search.

    Args:
        tune: nested as the settings are, with one of `KINDS` and its values in the place of each value.
        settings: as they are without a search.
        groups: the chosen option of each group of options.

    Raises:
        UsageError: for an unknown key, an unknown kind, or values that are none; the message names the key.
    """
    space = list(_dimensions("", tune, settings, groups))
    if not space:
        raise UsageError(
            "tune: no setting to search; choose some, as in tune=mlp or +tune.optimizer.lr.log_uniform=[1e-4,1e-2]"
        )
    return space


def as_they_are(space: Sequence[Dimension], settings: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Value]:
    """The value of each searched setting without a search, spelled as in a dimension."""
    return {dimension.name: _value(_at(dimension.name, settings, groups)) for dimension in space}


def check_values(space: Sequence[Dimension], check: Callable[[str, Any], object]) -> None:
    """Check that bounds and options fit their settings.

    Args:
        space: to check.
        check: name, value -> raises UsageError if the value does not fit the setting.

    Raises:
        UsageError: the message names the setting in the space.
    """
    for dimension in space:
        for value in dimension.values:
            try:
                check(dimension.name, value)
            except UsageError as error:
                path = f"tune.{dimension.name}.{dimension.kind}"
                raise UsageError(f"{path}: {str(error).partition(' (')[0]}{origin(path)}") from None


def _dimensions(prefix: str, tune: Mapping[str, Any], settings: Any, groups: Mapping[str, Any]) -> Iterator[Dimension]:
    for key, node in tune.items():
        name = f"{prefix}{key}"
        if not isinstance(settings, Mapping) or key not in settings or str(key).startswith("_"):
            known = [other for other in settings if not other.startswith("_")] if isinstance(settings, Mapping) else []
            hint = near(str(key), known, f"tune.{prefix}") or f"; there are {', '.join(known)}"
            raise UsageError(f"tune.{name}: there is no such setting{hint}{origin(f'tune.{name}')}")
        inside = settings[key]
        if isinstance(inside, Mapping) and not _is_group_choice(name, node, groups):
            if not isinstance(node, Mapping):
                raise UsageError(f"tune.{name}: a group of settings; search those in it, or {name}: choice: [...]")
            yield from _dimensions(f"{name}.", node, inside, groups)
        elif node is not None:  # null removes a setting of a chosen file
            yield _dimension(name, node)


def _is_group_choice(name: str, node: Any, groups: Mapping[str, Any]) -> bool:
    return name in groups and isinstance(node, Mapping) and set(node) == {CHOICE}


def _dimension(name: str, node: Any) -> Dimension:
    path = f"tune.{name}"
    if not isinstance(node, Mapping) or len(node) != 1:
        raise UsageError(f"{path}: expected one of {', '.join(KINDS)}, such as {{uniform: [0, 0.5]}}{origin(path)}")
    kind, values = next(iter(node.items()))
    path = f"{path}.{kind}"
    if kind not in KINDS:
        hint = near(str(kind), KINDS) or f"; there are {', '.join(KINDS)}"
        raise UsageError(f"{path}: unknown kind of range{hint}{origin(path)}")
    if not isinstance(values, list):
        raise UsageError(f"{path}={spelled(values)}: expected a list in brackets{origin(path)}")
    if kind == CHOICE:
        return Dimension(name, kind, _options(path, values))
    return Dimension(name, kind, _bounds(path, kind, values))


def _options(path: str, values: Sequence[Any]) -> tuple[Value, ...]:
    options = tuple(dict.fromkeys(_value(value) for value in values))
    if len(options) < 2:
        raise UsageError(f"{path}={spelled(list(values))}: expected at least two different values{origin(path)}")
    return options


def _bounds(path: str, kind: str, values: Sequence[Any]) -> tuple[Any, ...]:
    given = f"{path}={spelled(list(values))}"
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) != 2 or len(numbers) != 2 or not all(map(isfinite, numbers)):
        raise UsageError(f"{given}: expected two numbers, [low, high]{origin(path)}")
    low, high = numbers
    if low >= high:
        raise UsageError(f"{given}: the lower bound comes first, below the upper one{origin(path)}")
    if kind == INT and not all(isinstance(value, int) for value in numbers):
        raise UsageError(f"{given}: expected whole numbers; for others take uniform{origin(path)}")
    if kind == LOG_UNIFORM and low <= 0:
        raise UsageError(f"{given}: a logarithm needs a lower bound above 0{origin(path)}")
    return (low, high) if kind == INT else (float(low), float(high))


def _at(name: str, settings: Mapping[str, Any], groups: Mapping[str, Any]) -> Any:
    if name in groups:
        return groups[name]
    node: Any = settings
    for part in name.split("."):
        node = node[part]
    return node


def _value(value: Any) -> Value:
    return spelled(value) if isinstance(value, list | dict) else value
