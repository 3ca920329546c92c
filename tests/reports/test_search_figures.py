"""Figures of a search, whatever its trials came to."""

import io

import pytest

from digitrec.reports.figures.search import Axis, Scale, Tried, importance, search_history, slices
from digitrec.reports.figures.style import DARK, LIGHT

MIXED = [
    Tried(0, {"lr": 0.01, "hidden": "[8]"}, 0.9, complete=True),
    Tried(1, {"lr": 0.1, "hidden": "[16]"}, None, complete=False),
    Tried(2, {"lr": 0.05, "hidden": "[8]"}, 0.2, complete=False),
    Tried(3, {"lr": 0.02, "hidden": "[8]"}, 0.95, complete=True),
    Tried(4, {"lr": 0.02, "hidden": "[8]"}, 0.94, complete=True),
]
AXES = {"lr": Axis(0.001, 0.1, logarithmic=True), "hidden": Axis()}


@pytest.mark.parametrize("scale", [Scale("val/accuracy", lower=False, share=True), Scale("val/loss", True, False)])
@pytest.mark.parametrize("trials", [MIXED, MIXED[:1], MIXED[:2], [MIXED[0], MIXED[0]]])
def test_figures_are_drawn_of_any_trials(trials: list[Tried], scale: Scale) -> None:
    for theme in (LIGHT, DARK):
        for figure in (search_history(trials, scale, theme, 0.9), slices(trials, AXES, scale, theme, trials[0])):
            figure.savefig(io.BytesIO(), format="png")


def test_the_history_names_what_it_shows_and_nothing_else() -> None:
    def words(trials: list[Tried], before: float | None) -> list[str]:
        (legend,) = search_history(trials, Scale("val/accuracy", lower=False, share=True), LIGHT, before).legends
        return [text.get_text() for text in legend.get_texts()]

    assert words(MIXED[:1], None) == ["complete", "best so far"]
    assert words(MIXED, 0.9) == [
        "complete", "ended early", "worse than shown", "failed", "best so far", "settings as they were",
    ]  # fmt: skip


def test_importance_is_drawn_where_it_can_be_told() -> None:
    assert importance({}, LIGHT) is None
    drawn = importance({"lr": 0.7, "hidden": 0.3}, LIGHT)
    assert drawn is not None
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == ["lr", "hidden"]
