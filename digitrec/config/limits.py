"""How large a configuration may be: a few lines of yaml can stand for more memory than a machine has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import yaml

from digitrec.errors import UsageError
from digitrec.system.wording import first_line

CHARACTERS = 2**18
VALUES = 100_000  # with what anchors stand for counted each time
DEPTH = 50
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
INTEGER = "tag:yaml.org,2002:int"
DIGITS = 100
TOO_DEEP = f"lists or mappings in each other more than {DEPTH} deep"


def limited_loader(loader: type[yaml.SafeLoader]) -> type[yaml.SafeLoader]:
    """A loader that raises UsageError, with file and line, for what no configuration needs."""

    class LimitedLoader(loader):  # type: ignore[misc, valid-type]  # OmegaConf makes its class in a function
        def __init__(self, stream: str | IO[str]) -> None:
            self.source = getattr(stream, "name", "yaml")
            with _errors_of(self.source):
                text = stream if isinstance(stream, str) else stream.read(CHARACTERS + 1)
                if len(text) > CHARACTERS:
                    raise ValueError(f"longer than {CHARACTERS:,} characters, too much for a configuration")
                super().__init__(text)

        def get_single_data(self) -> Any:
            with _errors_of(self.source):
                data = super().get_single_data()
                if isinstance(data, int | float):  # OmegaConf's error would be taken for one of the disk
                    raise TypeError(f"holds {data} alone, expected settings such as seed: 1")
                return data

        def get_single_node(self) -> yaml.Node | None:
            node: yaml.Node | None = super().get_single_node()
            if node is not None:
                values, depth = _extent(node, {})
                if depth > DEPTH:
                    raise ValueError(TOO_DEEP)
                if values > VALUES:
                    raise ValueError(f"more than {VALUES:,} values, with what anchors stand for")
            return node

    return LimitedLoader


@contextmanager
def _errors_of(source: str) -> Iterator[None]:
    """Turn what reading yaml raises into a UsageError with the file and, where known, the line."""
    try:
        yield
    except RecursionError:
        raise UsageError(f"{source}: {TOO_DEEP}") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{source}{line}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{source}: {first_line(error)}") from error
    except (ValueError, OverflowError, TypeError) as error:  # a number of a million digits, a key that is a list
        raise UsageError(f"{source}: {error}") from error


def _extent(node: yaml.Node, known: dict[int, tuple[float, float]]) -> tuple[float, float]:
    """Number of values that a node stands for, and how deep they lie; infinite for one that contains itself."""
    if id(node) in known:
        return known[id(node)]
    _check_tag(node)
    known[id(node)] = float("inf"), float("inf")
    inner = [item for pair in node.value for item in pair] if isinstance(node, yaml.MappingNode) else node.value
    values, depth = 1.0, 0.0
    for child in inner if not isinstance(node, yaml.ScalarNode) else ():
        if isinstance(child, yaml.ScalarNode):  # most: no call of its own for each
            _check_tag(child)
            more, below = 1.0, 1.0
        else:
            more, below = _extent(child, known)
        values, depth = values + more, below if below > depth else depth
    known[id(node)] = values, depth + 1
    return known[id(node)]


def _check_tag(node: yaml.Node) -> None:
    if node.tag not in PLAIN or (node.tag == INTEGER and len(node.value) > DIGITS):
        what = node.tag if node.tag != INTEGER else f"a number of {len(node.value):,} digits"
        raise yaml.MarkedYAMLError(problem=f"{what} may not stand in a configuration", problem_mark=node.start_mark)
