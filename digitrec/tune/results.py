"""Results of a search: the best settings as an experiment, pictures, a page, a summary on the terminal."""

import os
import shlex
from collections.abc import Collection, Mapping
from typing import Any

from rich.table import Table

from digitrec.run_folder.formatting import format_duration
from digitrec.run_folder.settings import spelled
from digitrec.run_folder.tables import console
from digitrec.system.wording import shown
from digitrec.tune.outcome import Outcome, confirmation
from digitrec.tune.recipe import write_recipe
from digitrec.tune.space import Value
from digitrec.tune.study import Study
from digitrec.tune.study_info import StudyInfo


def publish(
    study: Study, settings: Mapping[str, Any], info: StudyInfo, before: Mapping[str, Value], without: Collection[str]
) -> float | None:
    """Write and print everything; returns the best value, None if no trial has one.

    Args:
        study: its trials.
        settings: of the search.
        info: how it began.
        before: the turned settings as they were.
        without: keys of the command line that runs do not get, or that are searched.
    """
    from digitrec.tune.page import write_pictures_and_page  # matplotlib and torch take seconds to import

    out = console(markup=False)  # settings may look like it
    if (best := study.best) is None:
        out.print("no trial has a value yet")
        return None
    outcome = Outcome(study, settings, info, before, study.tidied(best))
    recipe = write_recipe(study.folder, _notes(outcome), info.fixed(without), outcome.best.settings, info.groups)
    page = write_pictures_and_page(outcome)
    out.print(_headline(outcome), style="bold", soft_wrap=True)
    out.print(_table(outcome))
    out.print(f"the same as an experiment: {shown(recipe)}", soft_wrap=True)
    out.print(f"what was tried:            {shown(page)}", soft_wrap=True)
    runs = shlex.quote(str(shown(study.folder)))
    out.print(f"all runs:                  python -m digitrec.runs list {runs}", soft_wrap=True)
    out.print(f"does it hold?              {confirmation(study.folder, info.flags)}", soft_wrap=True)
    return best.value


def _headline(outcome: Outcome) -> str:
    better = f", {outcome.formatted(outcome.baseline)} before" if outcome.baseline is not None else ""
    value = f"{outcome.metric} {outcome.formatted(outcome.best.value)}{better}"
    return f"Best of {outcome.counts()}: trial {outcome.best.number}, {value}"


def _table(outcome: Outcome) -> Table:
    table = Table()
    table.add_column("setting")
    table.add_column("before", justify="right")
    table.add_column("best", justify="right", style="green")
    for name, value in outcome.best.settings.items():
        table.add_row(name, spelled(outcome.before[name]), spelled(value))
    return table


def _notes(outcome: Outcome) -> list[str]:
    """The comment of the experiment: how it was found, and what it came to."""
    best, settings = outcome.best, outcome.settings
    seeds = [str(settings["seed"] + place) for place in range(settings["seeds"])]
    of = f"seed {seeds[0]}" if len(seeds) == 1 else f"mean of seeds {', '.join(seeds)}"
    before = (
        f"; the settings as they were: {outcome.formatted(outcome.baseline)}" if outcome.baseline is not None else ""
    )
    return [
        f"The best of {outcome.counts()}, number {best.number}: "
        f"{outcome.metric} {outcome.formatted(best.value)}, {of}{before}.",
        "Chosen among many by held-out images: expect a little less of new ones. Found by",
        outcome.info.command,
        f"in {format_duration(outcome.seconds())} of training, {os.environ.get('OMP_NUM_THREADS', '1')} thread(s) "
        f"a run, {_processor()}, torch {outcome.info.versions['torch']}, Optuna {outcome.info.versions['optuna']}.",
        f"Whether it holds: {confirmation(outcome.study.folder, outcome.info.flags)}",
    ]


def _processor() -> str:
    from digitrec.training.results import processor_name

    return processor_name()
