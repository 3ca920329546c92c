"""Check of a configuration against the schema and the signatures of what it builds, before torch is imported."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from digitrec.config.allowed import allowed, how_to_allow
from digitrec.config.folds import check_folds, reads_test
from digitrec.config.origin import origin
from digitrec.config.overrides import as_path
from digitrec.config.schema import CONF_DIR, LIGHTNING, METRICS, STAGES, Node, Nodes, Rows, metadata
from digitrec.config.signatures import Signature, read_signature
from digitrec.config.suggestions import suggest
from digitrec.errors import UsageError
from digitrec.system.wording import first_line, near
from digitrec.weights import file_of

if TYPE_CHECKING:  # imported where values are checked: --help, and a wrong key, need none of it
    from pydantic import TypeAdapter

TAG = re.compile(r"\w[\w.-]{0,29}")
NAME = re.compile(r"[A-Za-z]\w*")
COUNTS = ("accumulate_grad_batches", "check_val_every_n_epoch", "log_every_n_steps")
# Lightning takes other values without a word and fails, or waits for ever, in the middle of a run.
NARROWER: dict[str, Any] = {
    **{f"trainer.{name}": Annotated[int, Ge(1)] | None for name in COUNTS},
    "trainer.strategy": Literal["auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false"],
    "trainer.strategy.start_method": Literal["popen"],
}
LARGEST = 10**15  # of whole numbers: no machine counts so far, and those that torch takes end a little beyond


def check(cfg: DictConfig, schema: type) -> dict[str, Any]:
    """Resolve `cfg` and hold every key and value against what its target takes.

    Returns:
        the configuration as plain dicts, lists and values, interpolations resolved; `test` is true or false.

    Raises:
        UsageError: for an unknown key, a value of the wrong type or out of range, a target that is not allowed
            or does not exist, or an interpolation that leads nowhere; the message names the key and its origin.
    """
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise UsageError(f"{error.full_key}: missing; give it as {error.full_key}=...") from None
    except OmegaConfBaseException as error:
        key = error.full_key or ""
        raise UsageError(f"{key or 'configuration'}: {first_line(error)}{origin(key)}") from None
    assert isinstance(plain, dict)
    settings = {str(key): value for key, value in plain.items()}
    known = {field.name: field.type for field in fields(schema)}
    _check_keys("", settings, known)
    if missing := next((key for key in known if key not in settings), None):
        raise UsageError(f"{missing}: missing; expected all of {', '.join(known)}")
    for key, value in settings.items():
        _check_top(key, value, known[key])
    data = settings.get("data") or {}
    check_folds(data.get("folds"), data.get("fold"))
    if "test" in settings:
        settings["test"] = reads_test(settings)
    _check_metrics(settings)
    _check_tags(settings.get("tags", []))
    _check_run_dir(settings["run_dir"])
    _check_folder(data)
    return settings


def _check_folder(data: Mapping[str, Any]) -> None:
    root = data.get("root")
    if data.get("dataset") == "folder" and isinstance(root, str) and not as_path(root).is_dir():
        expected = "expected a folder of <class>/<pictures>, or of train/<class>/ and test/<class>/"
        raise UsageError(f"data.root={root}: no such folder; {expected}{origin('data.root')}")


def _check_run_dir(given: str) -> None:
    """Hydra has made the run folder already; `run_dir` only repeats where it is."""
    if not HydraConfig.initialized() or OmegaConf.is_missing(HydraConfig.get().runtime, "output_dir"):
        return
    if Path(given) != Path(HydraConfig.get().runtime.output_dir):
        raise UsageError(f"run_dir={given}: it follows from hydra.run.dir; set that instead")


def _check_tags(tags: Sequence[str]) -> None:
    for tag in tags:
        if not TAG.fullmatch(tag):
            expected = "expected a word of letters, digits, dots, - or _, as in tags=[baseline]; longer texts are notes"
            raise UsageError(f"tags: {_show(tag)}: {expected}{origin('tags')}")


def check_path(key: str, path: str) -> None:
    """UsageError unless something lies at the path of a checkpoint or run folder; opening it comes much later."""
    if not path or not file_of(path).exists():
        shown = path or "nothing given"
        raise UsageError(f"{key}: {shown}: no such file or folder; name yours, as in {key}=outputs/train/...")


def check_data(values: Mapping[str, Any]) -> None:
    """Hold arguments of the data module against what it takes; UsageError names the first that is wrong."""
    signature = read_signature("digitrec.data.datamodule.DigitDataModule")
    assert signature is not None
    for name, value in values.items():
        _check_value(f"data.{name}", value, signature.arguments[name])


def _check_metrics(settings: Mapping[str, Any]) -> None:
    """Hold the objective, and what callbacks monitor, against the metrics that there are."""
    chosen = [name for name, node in settings.get("metrics", {}).items() if node is not None]
    for name in chosen:
        if not NAME.fullmatch(str(name)) or name in (*METRICS, "loss_step", "images_per_second"):
            expected = "expected a name of letters, digits and _ that none of ours has"
            raise UsageError(f"metrics.{name}: {expected}{origin(f'metrics.{name}')}")
    whole = [*METRICS, *(name for name in chosen if not name.endswith("_by_class"))]
    known = [f"{stage}/{metric}" for stage in STAGES for metric in whole] + ["train/images_per_second"]
    if (objective := settings.get("objective")) is not None and objective not in known:
        hint = _metric_hint(objective, known)
        raise UsageError(f"objective={objective}: no such metric{hint}{origin('objective')}")
    known = [name for name in known if not name.startswith("test/")]
    for name, node in settings.get("callbacks", {}).items():
        path, monitor = f"callbacks.{name}.monitor", str((node or {}).get("monitor"))
        ours = monitor.partition("/")[0] in STAGES or monitor.replace("_", "/", 1) in known  # an own network has others
        if ours and monitor not in known:
            hint = _metric_hint(monitor, known)
            raise UsageError(f"{path}={monitor}: no such metric in training{hint}{origin(path)}")
    if settings.get("test") is False and str(settings["objective"]).startswith("test/"):
        raise UsageError(
            f"objective={settings['objective']}: there is none with test=false or data.folds{origin('objective')}"
        )


def _metric_hint(name: str, known: Sequence[str]) -> str:
    option = name.rpartition("/")[2]
    if option and (CONF_DIR / "metrics" / f"{option}.yaml").is_file():
        return f"; add metrics=[default,{option}]"
    return near(name, known)


def _check_top(key: str, value: Any, annotation: Any) -> None:
    match next(iter(metadata(annotation)), None):
        case Node(optional=True) if not value:
            pass
        case Node(modules=modules, given=given):
            _check_node(key, value, modules, given)
        case Nodes(modules=modules):
            _check_nodes(key, value, modules)
        case Rows(modules=modules):
            for name, nodes in _mapping(key, value).items():
                _check_nodes(f"{key}.{name}", nodes, modules)
        case _:
            _check_value(key, value, annotation)


def _check_nodes(path: str, nodes: Any, modules: tuple[str, ...]) -> None:
    for name, node in _mapping(path, nodes).items():
        if node is not None:
            _check_node(f"{path}.{name}", node, modules, siblings=nodes)


def _mapping(path: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}={_show(value)}: expected options of this group{origin(path)}")
    return value


def _check_node(
    path: str,
    node: Any,
    modules: tuple[str, ...],
    given: tuple[str, ...] = (),
    siblings: Mapping[str, Any] = {},
) -> None:
    if not isinstance(node, dict) or "_target_" not in node:
        group, _, name = path.rpartition(".")
        others = {other: None for other in siblings if other != name}
        hint = near(name, others, f"{group}.")
        raise UsageError(f"{path}: expected a mapping with a _target_, got {_show(node)}{hint}{origin(path)}")
    signature = _check_target(f"{path}._target_", str(node["_target_"]), modules)
    arguments = {str(key): value for key, value in node.items() if key != "_target_"}
    known = {name: kind for name, kind in signature.arguments.items() if name not in given}
    closed = {key: value for key, value in arguments.items() if key.startswith("_") or not signature.open}
    _check_keys(f"{path}.", closed, known)
    for key, value in arguments.items():
        nested = list(_nodes_in(f"{path}.{key}", value))
        for inner_path, inner in nested:
            _check_node(inner_path, inner, modules if path == "model" else LIGHTNING)
        if not nested:
            _check_value(f"{path}.{key}", value, known.get(key, Any))


def _nodes_in(path: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Nodes inside an argument, however deep in lists and mappings: Hydra would build these as well."""
    match value:
        case {"_target_": _}:
            yield path, value
        case dict():
            for key, inner in value.items():
                yield from _nodes_in(f"{path}.{key}", inner)
        case list():
            for index, inner in enumerate(value):
                yield from _nodes_in(f"{path}[{index}]", inner)


def _check_target(path: str, target: str, modules: tuple[str, ...]) -> Signature:
    """Signature of a target; where it is really defined decides, not the shorter name it may have elsewhere."""
    # Only sources that could be allowed are read: a name in a configuration leads to no other file.
    signature = read_signature(target) if allowed(target, (*modules, "lightning")) else None
    if signature is not None and allowed(signature.module, modules):
        return signature
    if allowed(target, modules):
        raise UsageError(f"{path}: there is no class or function {target} on the import path{origin(path)}")
    expected = ", ".join(modules)
    raise UsageError(
        f"{path}: {target} may not be built from configuration here, expected something from {expected}"
        f"{origin(path)}.\n{how_to_allow(target)}"
    )


def _check_keys(prefix: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for key in given:
        if key not in known:
            path = f"{prefix}{key}"
            hint = suggest(path, known, None if prefix else given) or f"; known: {', '.join(known)}"
            raise UsageError(f"{path}: unknown key{hint}{origin(path)}")


def _check_value(path: str, value: Any, annotation: Any) -> None:
    if isinstance(value, int) and abs(value) > LARGEST:
        raise UsageError(f"{path}={_show(value)}: it should be a number of 15 digits at most{origin(path)}")
    adapter = _adapter(NARROWER.get(path, annotation))
    if adapter is None:
        return
    from pydantic import ValidationError

    try:
        adapter.validate_json(json.dumps(value), strict=True)  # JSON: a list may fill a tuple, no text a number
    except ValidationError as error:
        detail = error.errors()[0]
        place = "".join(f"[{part}]" for part in detail["loc"] if isinstance(part, int))
        expected = detail["msg"].removeprefix("Input ").removeprefix("Value ").replace("valid array", "list")
        raise UsageError(f"{path}{place}={_show(value)}: it {expected}{origin(path)}") from None


@cache
def _adapter(annotation: Any) -> "TypeAdapter[Any] | None":
    from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter

    try:
        return TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))
    except PydanticSchemaGenerationError:  # a type only the program itself can provide
        return None


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
