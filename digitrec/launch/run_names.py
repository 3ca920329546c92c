"""Readable names for folders of runs and jobs."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from digitrec.config.overrides import AUTO, SWEEP, as_path, is_override
from digitrec.run_folder.find import STAMP

SUFFIX = re.compile(r"-[0-9a-f]{4}$")  # which keeps apart what begins in one second
LONGEST = 60  # letters of a run's name


def register_resolvers() -> None:
    """Teach OmegaConf the words that conf/ uses for folder names."""
    OmegaConf.register_new_resolver("random_suffix", lambda: secrets.token_hex(2), use_cache=True, replace=True)
    for resolver in (folder_name, run_name, folder_of):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def folder_of(resume: str | None, new: str) -> str:
    """Folder of the run that is resumed, else the new one."""
    return new if resume in (None, AUTO) else resume


def folder_name(overrides: str, number: int | str) -> str:
    """Name of a job by what varies, as in `model-cnn_optimizer.lr-0.1`, and needs no quotes anywhere."""
    plain = _plain(overrides, longest=None)
    if plain == overrides and 0 < len(plain) <= 120:
        return plain
    digest = hashlib.sha256(overrides.encode()).hexdigest()[:6]  # keeps apart what the plain form makes equal
    return f"{plain[:120]}-{digest}" if plain else f"job-{number}"


def run_name(choices: Mapping[str, Any], tags: Any, rerun: str | None) -> str:
    """What a run is, in few words: experiment, model, data and tags; of one that is repeated, the name it had."""
    if rerun is not None:
        name = as_path(str(rerun)).resolve().name
        own = SUFFIX.sub("", STAMP.sub("", name)) if STAMP.match(name) else name
        return _plain(f"rerun-{own.removeprefix('rerun-')}")
    experiment, model, data = (str(choices.get(group) or "") for group in ("experiment", "model", "data"))
    own_model = "" if model in experiment else model
    words = [str(tag) for tag in tags] if isinstance(tags, Sequence) and not isinstance(tags, str) else []
    return _plain("-".join(word for word in (experiment, own_model, data, *words) if word))


def name_jobs(arguments: Sequence[str]) -> list[str]:
    """A command line that has Hydra leave out of the jobs' names what is the same for all of them."""
    if not SWEEP & set(arguments):
        return list(arguments)
    given = [argument for argument in arguments if is_override(argument)]
    try:
        parsed = OverridesParser.create().parse_overrides(given)
    except HydraException:
        return list(arguments)  # Hydra's own message follows
    fixed = {item.key_or_group for item in parsed if not item.is_sweep_override()}
    exclude = f"hydra.job.config.override_dirname.exclude_keys=[{','.join(sorted(fixed))}]"
    flags = [argument for argument in arguments if argument in SWEEP]
    rest = [argument for argument in arguments if argument not in SWEEP]
    place = rest.index(given[0]) if given else len(rest)
    return [flags[0], *rest[:place], exclude, *rest[place:]]  # argparse needs all overrides side by side


def _plain(text: str, longest: int | None = LONGEST) -> str:
    """The text in letters that mean nothing to a shell or to Hydra."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:longest].rstrip("-._")
