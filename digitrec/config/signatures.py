"""The arguments a configured target takes, read from its source: importing it could cost torch's seconds."""

import ast
import collections.abc
import importlib.util
import pathlib
import typing
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

import annotated_types


@dataclass(frozen=True)
class Signature:
    """What a class or function takes.

    Attributes:
        module: the module that defines it, after following re-exports.
        arguments: name -> annotation; `typing.Any` where it names something only an import could resolve.
        open: whether it also takes `**kwargs`.
    """

    module: str
    arguments: dict[str, typing.Any]
    open: bool


class _Names(dict[str, typing.Any]):
    """The names an annotation may use; any other stands for `Any`."""

    def __missing__(self, name: str) -> typing.Any:
        return typing.Any


_NAMES = _Names(
    {name: getattr(typing, name) for name in typing.__all__}
    | {name: getattr(collections.abc, name) for name in collections.abc.__all__}
    | {name: getattr(annotated_types, name) for name in annotated_types.__all__}
    | {kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict, set, Path)}
    | {"typing": typing, "pathlib": pathlib}
)


@cache
def read_signature(target: str) -> Signature | None:
    """Find `package.module.name` on the import path and read its signature; None if there is no such thing."""
    found = _find(target)
    if found is None:
        return None
    module, definition = found
    if isinstance(definition, ast.FunctionDef):
        return _from_function(module, definition)
    return _from_class(module, definition)


def _find(target: str) -> tuple[str, ast.ClassDef | ast.FunctionDef] | None:
    module, _, name = target.rpartition(".")
    source = _source(module)
    if source is None:
        return None
    for node in _statements(_parse(source)):
        match node:
            case ast.ClassDef() | ast.FunctionDef() if node.name == name:
                return module, node
            case ast.ImportFrom(module=origin, names=names, level=0) if origin:
                for alias in names:
                    if name == (alias.asname or alias.name):
                        return _find(f"{origin}.{alias.name}")
    return None


def _source(module: str) -> Path | None:
    """File of a module, found part by part because `find_spec` on a dotted name imports the parents."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top) if top else None
    except ValueError:  # a module made without a spec, such as __main__
        return None
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _parse(source: Path) -> ast.Module:
    return ast.parse(source.read_bytes())


def _statements(tree: ast.Module) -> typing.Iterator[ast.stmt]:
    """Top-level statements, those under a top-level `if` or `try` included."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from node.body


def _from_function(module: str, function: ast.FunctionDef, *, method: bool = False) -> Signature:
    spec = function.args
    names = _names_in(module)
    arguments = [*spec.posonlyargs, *spec.args][1 if method else 0 :] + spec.kwonlyargs
    annotations = {argument.arg: _evaluate(argument.annotation, names) for argument in arguments}
    return Signature(module, annotations, open=spec.kwarg is not None)


def _from_class(module: str, definition: ast.ClassDef) -> Signature:
    for node in definition.body:
        if isinstance(node, ast.FunctionDef) and node.name in ("__init__", "__new__"):
            return _from_function(module, node, method=True)
    if any("dataclass" in ast.unparse(decorator) for decorator in definition.decorator_list):
        names = _names_in(module)
        fields = [node for node in definition.body if isinstance(node, ast.AnnAssign)]
        annotations = {ast.unparse(field.target): _evaluate(field.annotation, names) for field in fields}
        return Signature(module, annotations, open=False)
    for base in definition.bases:
        inherited = read_signature(f"{module}.{ast.unparse(base)}")
        if inherited is not None:
            return Signature(module, inherited.arguments, inherited.open)
    return Signature(module, {}, open=False)


@cache
def _names_in(module: str) -> _Names:
    """Type names plus the aliases that a module makes of them, as in `Share = Annotated[float, Ge(0), Le(1)]`."""
    names = _Names(_NAMES)
    source = _source(module)
    for node in _statements(_parse(source)) if source else ():
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as alias):
                names[name] = _evaluate(alias, names)
    return names


def _evaluate(annotation: ast.expr | None, names: _Names) -> typing.Any:
    if annotation is None:
        return typing.Any
    try:
        # No builtins, and only type names: an annotation can say what a value must be, and do nothing.
        return eval(ast.unparse(annotation), {"__builtins__": {}}, names)  # noqa: S307
    except (AttributeError, NameError, SyntaxError, TypeError):
        return typing.Any
