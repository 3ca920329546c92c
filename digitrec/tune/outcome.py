"""What a search came to, for the terminal, the experiment file and the page."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitrec.run_folder.formatting import format_metric
from digitrec.system.wording import counted, shown, typed
from digitrec.tune.recipe import FOLDER, NAME
from digitrec.tune.space import Value
from digitrec.tune.study import COMPLETE, STATUS_TEXTS, Study, Trial
from digitrec.tune.study_info import StudyInfo

SEEDS = "1,2,3,4,5"  # of the runs that confirm the best settings


@dataclass(frozen=True)
class Outcome:
    """Result of a search.

    Attributes:
        study: its trials.
        settings: of the search.
        info: how it began.
        before: the turned settings as they were.
        best: the best trial, its numbers as they were tried.
    """

    study: Study
    settings: Mapping[str, Any]
    info: StudyInfo
    before: Mapping[str, Value]
    best: Trial

    @property
    def metric(self) -> str:
        """Name of the metric that was searched by."""
        return str(self.settings["objective"])

    @property
    def baseline(self) -> float | None:
        """Value of the settings before the search; None if no complete trial had them."""
        same = [one for one in self.study.trials if one.status == COMPLETE and one.settings == self.before]
        return same[0].value if same else None

    def counts(self) -> str:
        """How many trials there are, and how they ended."""
        trials = self.study.trials
        numbers = {text: sum(trial.status == status for trial in trials) for status, text in STATUS_TEXTS.items()}
        parts = [f"{number} {text}" for text, number in numbers.items() if number]
        return f"{counted(len(trials), 'trial')}" + (f" ({', '.join(parts)})" if parts else "")

    def seconds(self) -> float:
        """Time of all trials together."""
        return sum(trial.seconds or 0.0 for trial in self.study.trials)

    def formatted(self, value: float | None) -> str:
        """A value of the metric as text."""
        return format_metric(self.metric, value)


def confirmation(folder: Path, flags: Sequence[str]) -> str:
    """Command that trains the best settings again with several seeds, without test images."""
    place = shlex.quote(f"--config-dir={shown(folder) / FOLDER}")
    if flags:  # Hydra takes one such folder; the user's own goes into its search path
        own = ",".join(f"'{flag.partition('=')[2]}'" for flag in flags)
        place += " " + shlex.quote(f"hydra.searchpath=[{own}]")
    return f"{typed('train')} -m {place} experiment={NAME} seed={SEEDS} test=false"
