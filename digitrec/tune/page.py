"""The page and the pictures of a search."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from digitrec.reports.figures.search import Axis, Scale, Tried, importance, search_history, slices
from digitrec.reports.figures.style import Theme
from digitrec.reports.page import Card, Picture, picture, write_page
from digitrec.run_folder.formatting import format_duration, format_metric, format_time, is_share, short_names
from digitrec.run_folder.settings import spelled
from digitrec.system.wording import counted, shown
from digitrec.tune.outcome import Outcome, confirmation
from digitrec.tune.recipe import FOLDER, NAME
from digitrec.tune.space import CHOICE, LOG_UNIFORM
from digitrec.tune.study import COMPLETE, FAILED, PRUNED, RUNNING, STATUS_TEXTS, Trial

TEMPLATE = Path(__file__).with_name("tune.html")
EXPLAINED = {
    "history": (
        "How the search went",
        "The value of each trial in their order; of one that ended early, the last before that.",
    ),
    "importance": (
        "What mattered",
        "Share of the spread of values that each setting accounts for by itself or together with others, over the "
        "range that was searched (fANOVA). Few trials give a rough picture.",
    ),
    "slices": (
        "Each setting by itself",
        "Every trial in every panel, the best one marked. A best value at the edge of a panel suggests a wider range.",
    ),
}


def write_pictures_and_page(outcome: Outcome) -> Path:
    """Write tune.html, history.png, importance.png and slices.png into the study's folder; return the page's path."""
    folder = outcome.study.folder
    pictures = _pictures(outcome)
    for shot in pictures:
        (folder / f"{shot.name}.png").write_bytes(shot.png)
    trials = [outcome.study.tidied(trial) for trial in outcome.study.trials]
    return write_page(
        TEMPLATE,
        folder / "tune.html",
        title=f"{outcome.best.number} of {counted(len(trials), 'trial')}",
        metric=outcome.metric,
        turned=", ".join(outcome.study.space),
        cards=_cards(outcome),
        pictures=pictures,
        settings=[
            (name, spelled(outcome.before[name]), spelled(value)) for name, value in outcome.best.settings.items()
        ],
        recipe=f"python -m digitrec.train --config-dir={shown(folder) / FOLDER} experiment={NAME}",
        confirmation=confirmation(folder, outcome.info.flags),
        names=list(short_names(list(outcome.study.space)).values()),
        trials=[
            (_row(outcome, trial), [spelled(trial.settings[name]) for name in outcome.study.space], trial.error)
            for trial in sorted(trials, key=lambda trial: (trial.status != COMPLETE, outcome.study.rank(trial.value)))
        ],
        facts=_facts(outcome),
    )


def _pictures(outcome: Outcome) -> list[Picture]:
    scale = Scale(outcome.metric, outcome.study.lower, is_share(outcome.metric))
    tried = [_tried(outcome.study.tidied(trial)) for trial in outcome.study.trials if trial.status != RUNNING]
    axes = {
        name: Axis() if turned.kind == CHOICE else Axis(turned.values[0], turned.values[1], turned.kind == LOG_UNIFORM)
        for name, turned in outcome.study.space.items()
    }
    shares = outcome.study.importance()
    best = _tried(outcome.best)
    draw: dict[str, Callable[[Theme], Any]] = {
        "history": lambda theme: search_history(tried, scale, theme, outcome.baseline),
        "importance": lambda theme: importance(shares, theme),
        "slices": lambda theme: slices(tried, axes, scale, theme, best),
    }
    drawn = [picture(name, *EXPLAINED[name], paint) for name, paint in draw.items()]
    return [one for one in drawn if one is not None]


def _tried(trial: Trial) -> Tried:
    value = None if trial.status == FAILED else trial.value
    return Tried(trial.number, trial.settings, value, complete=trial.status == COMPLETE)


def _cards(outcome: Outcome) -> list[Card]:
    trials = outcome.study.trials
    counts = {status: sum(trial.status == status for trial in trials) for status in (PRUNED, FAILED)}
    seeds = outcome.settings["seeds"]
    cards = [
        Card("Best", outcome.formatted(outcome.best.value), f"trial {outcome.best.number}, {outcome.metric}"),
        Card("Trials", str(len(trials)), f"{counts[PRUNED]} ended early, {counts[FAILED]} failed"),
        Card("Seeds a trial", str(seeds), "their mean counts" if seeds > 1 else "one may be lucky"),
        Card("Training time", format_duration(outcome.seconds()), "of all trials together"),
    ]
    if outcome.baseline is not None:
        cards.insert(1, Card("Settings as they were", outcome.formatted(outcome.baseline), "the first trial"))
    return cards


def _row(outcome: Outcome, trial: Trial) -> tuple[str, str, str, str]:
    epochs = str(max(trial.curve)) if trial.curve else ""
    return (
        str(trial.number),
        STATUS_TEXTS.get(trial.status) or format_metric(outcome.metric, trial.value),
        epochs,
        format_duration(trial.seconds),
    )


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    info = outcome.info
    facts = {
        "command": info.command,
        "folder": shown(outcome.study.folder),
        "begun": format_time(info.start),
        "on": info.host,
        "code": info.git_revision or "",
        "versions": ", ".join(f"{name} {number}" for name, number in info.versions.items()),
        "proposals": f"TPE, seed {outcome.settings['seed']}",
    }
    return [(name, str(value)) for name, value in facts.items()]
