"""Progress of a search: a line per trial, and in a terminal a table of the best and the running trials."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from digitrec.run_folder.formatting import format_duration, format_metric, short_names
from digitrec.run_folder.settings import spelled
from digitrec.run_folder.tables import console
from digitrec.system.wording import counted, printable_lines, shown
from digitrec.tune.job import Point
from digitrec.tune.study import COMPLETE, FAILED, PRUNED, RUNNING, STATUS_TEXTS, Study, Trial

BEST = 3  # trials shown
COLOURS = {COMPLETE: "green", PRUNED: "magenta", FAILED: "red", RUNNING: "yellow"}
REDRAW_S = 0.5


class Display:
    """Shows a search within a `with` block.

    Args:
        study: its trials.
        settings: of the search.
        folder: of the study.
    """

    def __init__(self, study: Study, settings: Mapping[str, Any], folder: Path) -> None:
        self._study, self._metric, self._planned = study, settings["objective"], settings["trials"]
        self._seeds, self._folder = settings["seeds"], folder
        self._heads = short_names(list(study.space))
        self._console = console(markup=False)  # settings may look like it
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._running: dict[int, tuple[Trial, str, float]] = {}
        self._drawn, self._start, self._before = 0.0, time.monotonic(), 0

    def __enter__(self) -> Self:
        found = self._study.trials
        self._before = len(_over(found))
        turned = ", ".join(self._study.space)
        less = "less" if self._study.lower else "more"
        self._print(f"study folder: {shown(self._folder)}")
        self._print(f"{counted(self._planned, 'trial')} for {less} {self._metric}, searching {turned}")
        if found:
            self._print(f"resumed after {counted(self._before, 'trial')}{self._best()}")
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._live.stop()

    def began(self, trial: Trial) -> None:
        """Show a trial as running."""
        self._running[trial.number] = (trial, "starts", time.monotonic())
        self._draw()

    def reached(self, number: int, seed: int, point: Point) -> None:
        """Show how far a trial has come."""
        trial, _, since = self._running[number]
        of_seed = f", seed {seed}" if self._seeds > 1 else ""
        self._running[number] = (
            trial,
            f"epoch {point.epoch}{of_seed}: {format_metric(self._metric, point.value)}",
            since,
        )
        self._draw()

    def ended(self, trial: Trial) -> None:
        """Print the line of a trial."""
        self._running.pop(trial.number, None)
        value = STATUS_TEXTS.get(trial.status) or format_metric(self._metric, trial.value)
        best = self._study.best
        mark = "best so far" if best is not None and best.number == trial.number else ""
        line = f"{value:>11}  {format_duration(trial.seconds):>6}  {self._spelled(trial)}"
        reason = f"\n           {trial.error}" if trial.error else f"  {mark}".rstrip()
        self._print(f"trial {trial.number:>3}  {line}{reason}", COLOURS[trial.status] if mark or trial.error else "")
        self._draw()

    def left(self, trial: Trial) -> None:
        """Print that another program took over a trial."""
        self._running.pop(trial.number, None)
        self._print(f"trial {trial.number:>3}  was taken over by another program, which got no heartbeat of this one")
        self._draw()

    def tick(self) -> None:
        """Update the shown times."""
        if time.monotonic() - self._drawn >= REDRAW_S:
            self._draw()

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(printable_lines(line), style=style), soft_wrap=True)

    def _draw(self) -> None:
        if self._live.is_started:
            self._drawn = time.monotonic()
            self._live.update(Group(self._table(), Text(self._summary(), style="bold")), refresh=True)

    def _table(self) -> Table:
        """The best trials, then the running ones."""
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("trial", justify="right", no_wrap=True)
        table.add_column(self._metric, no_wrap=True)
        for name in self._heads.values():
            table.add_column(name, justify="right", no_wrap=True)
        trials = self._study.trials
        complete = [trial for trial in trials if trial.status == COMPLETE]
        for trial in sorted(complete, key=lambda trial: self._study.rank(trial.value))[:BEST]:
            self._row(table, trial, format_metric(self._metric, trial.value), COLOURS[COMPLETE])
        for trial, text, since in self._running.values():
            elapsed = format_duration(time.monotonic() - since)
            self._row(table, trial, f"{text}, {elapsed}", COLOURS[RUNNING])
        return table

    def _row(self, table: Table, trial: Trial, text: str, style: str) -> None:
        settings = self._study.tidied(trial).settings
        table.add_row(str(trial.number), text, *(spelled(settings[name]) for name in self._heads), style=style)

    def _summary(self) -> str:
        """Progress of the search in one line."""
        over = _over(self._study.trials)
        counts = {text: sum(trial.status == status for trial in over) for status, text in STATUS_TEXTS.items()}
        parts = [f"{len(over)}/{self._planned} trials{self._best()}"]
        parts += [f"{count} {text}" for text, count in counts.items() if count]
        elapsed, done = time.monotonic() - self._start, len(over) - self._before
        parts.append(format_duration(elapsed))
        if done and self._planned > len(over):
            parts.append(f"about {format_duration(elapsed / done * (self._planned - len(over)))} left")
        return ", ".join(parts)

    def _best(self) -> str:
        best = self._study.best
        return "" if best is None else f", best {format_metric(self._metric, best.value)} (trial {best.number})"

    def _spelled(self, trial: Trial) -> str:
        settings = self._study.tidied(trial).settings
        return " ".join(f"{self._heads[name]}={spelled(value)}" for name, value in settings.items())


def _over(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.status != RUNNING]
