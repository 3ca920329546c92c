"""Import Lightning, torchmetrics and torchvision without the modules that a training never uses: half of its start.

While one of these packages is imported, a stand-in takes the place of each module that it would import along.
Afterwards the stand-ins are gone, and every other `import` finds the real modules. A name that the package took from
a stand-in, such as the class of compiled modules, loads the real module when it is used. If an import with stand-ins
fails, as it might with another version of a package, it is repeated without.

DIGITREC_LEAN_IMPORTS=0 switches all of this off.
"""

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"

# Package -> modules that wait until they are used, and the names that the package takes from them. Seconds are of an
# AMD EPYC with lightning 2.6.6, torchmetrics 1.9.0, torchvision 0.29.2, torch 2.15.0, none of it compiled to bytecode.
STAND_INS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "lightning": {
        COMPILER: ["OptimizedModule", "disable"],  # one isinstance, and logging that is not to be compiled: 3.4 s
        "torch.utils.flop_counter": ["FlopCounterMode"],  # a model summary's operations; imports Triton: 0.2 s
    },
    "torchmetrics": {
        "scipy.optimize": ["linear_sum_assignment"],  # two metrics of speech: 1.6 s together
        "scipy.signal": ["hamming"],
        "torchmetrics.utilities.plot": [  # metric.plot(); imports matplotlib: 1.0 s
            *("_AX_TYPE", "_CMAP_TYPE", "_PLOT_OUT_TYPE"),
            *("plot_confusion_matrix", "plot_curve", "plot_single_or_multi_val"),
        ],
        "torchvision": ["transforms"],  # three metrics of photographs: 0.9 s
        "torchvision.models": ["VGG16_Weights", "resnet50", "vgg16"],
    },
    "torchvision": {"torchvision.models": [], "torchvision.ops": []},  # not needed by its data sets: 0.5 s
    "torchvision.ops": {COMPILER + ".utils": ["is_compile_supported"]},
}


def install() -> None:
    """Import the packages of `STAND_INS` with stand-ins from now on, unless DIGITREC_LEAN_IMPORTS=0."""
    if os.environ.get("DIGITREC_LEAN_IMPORTS") != "0":
        sys.meta_path.insert(0, LeanImporter)


class LeanImporter:
    """Finds the packages of `STAND_INS` where Python does, and runs their code with stand-ins in place."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.create_module = loader.create_module

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As Python's import system requires it."""
        spec = PathFinder.find_spec(name, path, target) if name in STAND_INS else None
        if spec and spec.loader:
            spec.loader = cls(spec.loader)  # type: ignore[assignment]  # its two methods are all that is used
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the package's code, once more without stand-ins if it fails."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        try:
            with _stand_ins(STAND_INS[module.__name__]):
                self._loader.exec_module(module)
        except Exception:  # whatever another version of it does
            self._loader.exec_module(module)
        if module.__name__ == "lightning":
            _spare_optimizers_the_compiler()


class StandIn(ModuleType):
    """A module that has some names, and loads the real one when it is asked for any other."""

    def __init__(self, name: str, names: Sequence[str]) -> None:
        super().__init__(name)
        self.__dict__.update({later: LaterName(name, later) for later in names})
        if name == COMPILER:
            self.disable = _disable_later

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_load(self.__name__), name)


class LaterName:
    """A function, class or module whose own module is imported when it is called or one of its attributes is used.

    Nothing is an instance of a class before its module is there, so `isinstance` imports nothing.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the real one."""
        return getattr(_load(self._module), self._name)(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by `typing` where this stands in an annotation
            raise AttributeError(name)
        return getattr(getattr(_load(self._module), self._name), name)

    def __instancecheck__(self, instance: object) -> bool:
        kind = vars(sys.modules.get(self._module, self)).get(self._name, self)
        return kind is not self and isinstance(instance, kind)


def _load(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), StandIn):
        del sys.modules[name]
    return importlib.import_module(name)


@contextmanager
def _stand_ins(modules: Mapping[str, Sequence[str]]) -> Iterator[None]:
    placed = {name: StandIn(name, names) for name, names in modules.items() if name not in sys.modules}
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name, stand_in in placed.items():
            package, _, child = name.rpartition(".")
            for names, key in ((sys.modules, name), (vars(sys.modules.get(package, stand_in)), child)):
                if names.get(key) is stand_in:
                    del names[key]
        for package in {name.rpartition(".")[0] for name in placed} & sys.modules.keys():
            # torch and scipy have such a function, which does the same
            vars(sys.modules[package]).setdefault("__getattr__", partial(_import_child, package, placed))


def _import_child(package: str, placed: Mapping[str, object], name: str) -> ModuleType:
    """Import `package.name` where a stand-in was, as if the package had done so itself (PEP 562)."""
    if f"{package}.{name}" not in placed:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return importlib.import_module(f"{package}.{name}")


def _spare_optimizers_the_compiler() -> None:
    """Let torch's optimizers import the compiler only where it is there already: 3.4 s of the first step.

    They import it to mark where it must stop (torch/optim/optimizer.py) and what it must leave alone
    (torch/_compile.py), which means nothing as long as nobody compiles.
    """
    import torch
    from torch.optim import Optimizer

    def unmarked(marked: Any) -> Callable[..., Any]:
        step = marked.__wrapped__

        @functools.wraps(step)
        def plain(self: Optimizer, *arguments: Any, **options: Any) -> Any:
            if COMPILER in sys.modules:
                return marked(self, *arguments, **options)
            with torch.set_grad_enabled(self.defaults["differentiable"]):
                return step(self, *arguments, **options)

        return plain

    for kind in vars(torch.optim).values():
        step: Any = vars(kind).get("step") if isinstance(kind, type) else None
        if _is_made_by("_use_grad", step):
            kind.step = unmarked(step)
    for name, method in list(vars(Optimizer).items()):
        if _is_made_by("inner", method):
            setattr(Optimizer, name, _unless_compiling(method, method.__wrapped__))


def _is_made_by(decorator: str, function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return getattr(code, "co_name", None) == decorator and hasattr(function, "__wrapped__")


def _disable_later(function: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[..., Any]:
    """The function itself, and once there is a compiler, what `torch._dynamo.disable` makes of it."""
    disabled = functools.cache(lambda: _load(COMPILER).disable(function, *arguments, **options))
    return _unless_compiling(lambda *given, **named: disabled()(*given, **named), function)


def _unless_compiling(full: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def either(*arguments: Any, **options: Any) -> Any:
        return (full if COMPILER in sys.modules else plain)(*arguments, **options)

    return either
