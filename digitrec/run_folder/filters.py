"""Filters of runs: `model=cnn val/accuracy>0.99`."""

import math
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from digitrec.errors import UsageError
from digitrec.run_folder.ranking import data_of
from digitrec.run_folder.run import Run
from digitrec.run_folder.settings import spelled
from digitrec.system.wording import near

SIGNS = re.compile(r"\s*(!=|<=|>=|==|=|<|>)\s*")
ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
FIELDS = ("name", "status", "seed", "start", "duration_s", "error", "tag", "note")
REPEATED = "callbacks.trial."  # the settings of a search's trial, which it has under their own names as well
EXAMPLE = "such as model=cnn, optimizer.lr!=0.1 or val/accuracy>0.99"


@dataclass(frozen=True)
class Condition:
    """One condition on a run.

    Attributes:
        name: of a setting, a metric, or one of FIELDS.
        sign: =, !=, or an order; an order is one of numbers, of `start` one of texts.
        value: as written.
    """

    name: str
    sign: str
    value: str

    def holds(self, run: Run) -> bool:
        """Whether it is true of a run; a missing figure is neither above nor below anything."""
        value = value_of(run, self.name)
        if self.name == "tag":
            return (self.value in run.tags) == (self.sign == "=")
        if self.sign in ORDERS:
            if isinstance(value, str) and self.name == "start":
                return ORDERS[self.sign](value, self.value)
            return _is_number(value) and ORDERS[self.sign](value, _number(self.value))
        return (spelled(value) == self.value or _equal(value, self.value)) == (self.sign == "=")


def chosen(runs: Sequence[Run], expressions: Iterable[str]) -> list[Run]:
    """The runs for which all expressions are true; one text may hold several, with spaces between them.

    Raises:
        UsageError: an expression is malformed, or names what no run has.
    """
    conditions = parse(expressions, runs)
    return [run for run in runs if all(condition.holds(run) for condition in conditions)]


def parse(expressions: Iterable[str], runs: Sequence[Run]) -> list[Condition]:
    """Conditions on settings, metrics or fields of some run; `lr` stands for `optimizer.lr`.

    Raises:
        UsageError: an expression is malformed, or names what no run has.
    """
    return [_condition(text, runs) for expression in expressions for text in _split(expression)]


def by_setting(runs: Sequence[Run], name: str) -> list[Run]:
    """Runs of each data set by a field or setting: numbers from small to large, then texts, then those without."""
    values = {run.folder: value_of(run, name) for run in runs}

    def key(run: Run) -> tuple[str, int, float, str]:
        value = values[run.folder]
        number = _is_number(value)
        return data_of(run), 2 if value is None else not number, value if number else 0.0, spelled(value)

    return sorted(runs, key=key)


def value_of(run: Run, name: str) -> Any:
    """A field, setting, metric, or entry of run.json, by its name; None where a run has none."""
    if name in FIELDS:
        found = getattr(run, {"duration_s": "seconds", "tag": "tags"}.get(name, name))
        return None if found == "" else found
    for source in (run.settings, run.metrics, run.record):
        if name in source:
            return source[name]
    return None


def _split(expression: str) -> list[str]:
    try:
        parts = shlex.split(SIGNS.sub(r"\1", expression))
    except ValueError as error:
        raise UsageError(f"{expression}: {str(error).lower()}; expected expressions {EXAMPLE}") from None
    if not parts:  # as an unset shell variable gives; it would select all runs
        raise UsageError(f"an empty expression; expected one {EXAMPLE}, or none at all")
    return parts


def _condition(text: str, runs: Sequence[Run]) -> Condition:
    found = SIGNS.search(text)
    if found is None or not text[: found.start()] or text[found.end() :].startswith(tuple("=<>!")):
        raise UsageError(f"{text}: expected a name, a sign (= != < <= > >=) and a value, {EXAMPLE}")
    name, sign, value = text[: found.start()], found.group(1).replace("==", "="), text[found.end() :]
    name = _known_name(name, runs, text)
    if sign in ORDERS and name == "tag":
        raise UsageError(f"{text}: tags have no order; expected tag=... or tag!=...")
    if sign in ORDERS and name != "start" and not _is_figure(value):
        raise UsageError(f"{text}: expected a number after {sign}, got {value or 'nothing'}")
    return Condition(name, sign, value)


def setting_named(name: str, runs: Sequence[Run]) -> str | None:
    """The field or setting that a name is of, whole or by its last part; None if of none, or of several.

    What a search's trial repeats of its settings has to be spelled out.
    """
    if name == "tags":
        return "tag"
    settings = {whole: None for run in runs for whole in run.settings}
    if name in FIELDS or name in settings:
        return name
    endings = _endings(name, settings)
    return endings[0] if len(endings) == 1 else None


def _endings(name: str, settings: Iterable[str]) -> list[str]:
    return [whole for whole in settings if whole.endswith(f".{name}") and not whole.startswith(REPEATED)]


def _known_name(name: str, runs: Sequence[Run], text: str) -> str:
    """The whole name; a setting comes before a metric or an entry of run.json, such as lr."""
    if (setting := setting_named(name, runs)) or not runs:  # without runs no name is known
        return setting or name
    scalars = (name for run in runs for name, value in run.record.items() if not isinstance(value, dict | list))
    rest = (name for run in runs for source in (run.settings, run.metrics) for name in source)
    known = list(dict.fromkeys([*FIELDS, *rest, *scalars]))
    if name in known:
        return name
    endings = _endings(name, known)
    hint = f"; did you mean {' or '.join(endings[:3])}?" if endings else near(name, known)
    raise UsageError(f"{text}: no run has a setting or figure called {name}{hint or f'; expected one {EXAMPLE}'}")


def _number(text: str) -> float:
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


def _is_figure(text: str) -> bool:
    try:
        return math.isfinite(_number(text))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(value: Any, text: str) -> bool:
    try:
        return _is_number(value) and float(value) == _number(text)
    except ValueError:
        return False
