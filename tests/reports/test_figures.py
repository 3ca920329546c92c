import io
import string
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, pyplot, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from PIL import Image
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from digitrec.evaluation.evaluation import Evaluation
from digitrec.reports.figures import FIGURES, augmentation_grid, classes, comparison, curves, digits, draw_all
from digitrec.reports.figures.augmentation import GAP, LABEL_WIDTH
from digitrec.reports.figures.style import DARK, LIGHT, Theme, drawable, percent

Make = Callable[..., Evaluation]
TWO, TEN = ("no", "yes"), tuple("0123456789")
FORTY_SEVEN = tuple(string.digits + string.ascii_uppercase + "abdefghnqrt")
WITHOUT_GROUND = {"robustness", "comparison", "training", "filters", "attributions"}
GRID_DPI, DOTS = 200, 6  # of the saved picture; dots for each pixel of 8 digits, 28 pixels wide


def test_rows_are_labelled_in_order() -> None:
    images = torch.rand(8, 1, 28, 28)
    (axes,) = augmentation_grid(images, {"shift": images, "affine": images}, first="as written").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["as written", "shift", "affine"]


def test_digits_lie_at_their_places_pixel_by_pixel() -> None:
    images, changed = torch.zeros(2, 8, 1, 28, 28)
    changed[2, 0, 5, 7] = 1
    buffer = io.BytesIO()
    augmentation_grid(images, {"dot": changed}).savefig(buffer, format="png")
    picture = np.asarray(Image.open(buffer).convert("L"))

    pitch = 28 + GAP
    mosaic = np.full((2 * pitch + GAP, 8 * pitch), 255)
    for row in (0, 1):
        for column in range(8):
            top, left = row * pitch + GAP, column * pitch
            mosaic[top : top + 28, left : left + 28] = 0
    mosaic[pitch + GAP + 5, 2 * pitch + 7] = 255
    shown = picture[DOTS // 2 :: DOTS, round(LABEL_WIDTH * GRID_DPI) + DOTS // 2 :: DOTS]
    np.testing.assert_array_equal(shown, mosaic)


def test_any_number_of_digits_of_any_size_and_type_fits() -> None:
    images = torch.rand(3, 1, 8, 12, dtype=torch.bfloat16, requires_grad=True)
    augmentation_grid(images, {}).savefig(io.BytesIO(), format="png")


def test_pyplot_keeps_no_figure() -> None:
    augmentation_grid(torch.rand(2, 1, 8, 8), {})
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("class_names", "dark", "skill"),
    [(TWO, True, 2.0), (TEN, False, 2.0), (FORTY_SEVEN, True, 2.0), (TEN, True, -50.0)],
    ids=["2", "10", "47", "all wrong"],
)
def test_every_figure_is_drawn_without_a_warning(
    make_evaluation: Make, class_names: tuple[str, ...], dark: bool, skill: float
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = draw_all(make_evaluation(class_names, skill=skill), dark=dark)
        for figure in figures.values():
            figure.savefig(io.BytesIO(), format="png", dpi=30)
    assert list(figures) == list(FIGURES)
    assert pyplot.get_fignums() == []


def test_what_has_no_ground_is_left_out(make_evaluation: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = draw_all(make_evaluation(bare=True, skill=50.0))
    assert set(FIGURES) - set(figures) == WITHOUT_GROUND | {"worst_errors", "worst_writers"}


def test_confusion_cells_show_the_counts_that_are_not_zero(make_evaluation: Make) -> None:
    predictions = make_evaluation(skill=2.0).predictions
    expected = Counter(zip(predictions.labels.tolist(), predictions.predicted.tolist(), strict=True))
    (axes,) = classes.confusion_counts(predictions, LIGHT).axes
    assert _cells(axes) == {cell: str(count) for cell, count in expected.items()}
    (axes,) = classes.confusion_shares(predictions, LIGHT).axes
    per_class = Counter(predictions.labels.tolist())
    assert _cells(axes) == {cell: f"{100 * count / per_class[cell[0]]:.1f}" for cell, count in expected.items()}


def test_with_many_classes_only_the_commonest_mistakes_are_written(make_evaluation: Make) -> None:
    predictions = make_evaluation(FORTY_SEVEN, skill=1.5).predictions
    mistakes = Counter(zip(predictions.labels.tolist(), predictions.predicted.tolist(), strict=True))
    mistakes = Counter({cell: count for cell, count in mistakes.items() if cell[0] != cell[1]})
    (axes,) = classes.confusion_counts(predictions, LIGHT).axes
    written = _cells(axes)
    least = min(map(int, written.values()))
    assert classes.HOT_SPOTS <= len(written) < len(mistakes)
    assert {cell: str(count) for cell, count in mistakes.items() if count >= least} == written
    assert [label.get_text() for label in axes.get_xticklabels()] == list(FORTY_SEVEN)


@pytest.mark.parametrize("skill", [-50.0, 1.0, 3.0, 50.0])
def test_answers_are_framed_and_marked_by_right_and_wrong(make_evaluation: Make, skill: float) -> None:
    evaluation = make_evaluation(skill=skill)
    (axes,) = digits.examples(evaluation.images, evaluation.predictions, LIGHT).axes
    frames = Counter(to_hex(patch.get_edgecolor()) for patch in axes.patches)
    marks = Counter(text.get_text()[0] for text in axes.texts)
    right = int(evaluation.predictions.correct.sum())
    wrong = min(len(evaluation.images) - right, max(8, 40 - right))
    assert (frames[LIGHT.wrong], frames[LIGHT.right]) == (wrong, 40 - wrong)
    assert (marks["✗"], marks["✓"]) == (wrong, 40 - wrong)


def test_worst_errors_gave_the_label_the_least(make_evaluation: Make) -> None:
    evaluation = make_evaluation(skill=1.0)
    predictions = evaluation.predictions
    figure = digits.worst_errors(evaluation.images, predictions, LIGHT)
    assert figure is not None
    (axes,) = figure.axes
    given = predictions.probabilities.gather(1, predictions.labels[:, None])[:, 0]
    worst = given[~predictions.correct].sort().values[: len(axes.images)]
    chosen = [int((given == value).nonzero()[0]) for value in worst]
    assert [text.get_text() for text in axes.texts if text.get_text().startswith("is ")] == [
        f"is {predictions.labels[index]}, #{index}" for index in chosen
    ]
    first = predictions.probabilities[chosen[0]].topk(2)
    expected = [
        word
        for index, share in zip(first.indices, first.values, strict=True)
        for word in (str(int(index)), percent(float(share)))
    ]
    assert [text.get_text() for text in axes.texts[1:5]] == expected


def test_bars_are_as_long_as_the_scores(make_evaluation: Make) -> None:
    predictions = make_evaluation(skill=2.0).predictions
    figure = classes.scores(predictions, LIGHT)
    expected = precision_recall_fscore_support(predictions.labels, predictions.predicted)[:3]
    for axes, values in zip(figure.axes, expected, strict=True):
        np.testing.assert_allclose(_lengths(axes), values)
        assert axes.get_xlim() == (0, 1)
        lowest = [index for index, bar in enumerate(_bars(axes)) if to_hex(bar.get_facecolor()) == LIGHT.second]
        assert lowest == [int(np.argmin(values))]


def test_class_counts_have_a_panel_for_each_split() -> None:
    counts = {"train": torch.tensor([5000, 30]), "test": torch.tensor([0, 7])}
    figure = classes.class_counts(counts, TWO, DARK)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["train (5,030)", "test (7)"]
    assert [_lengths(axes) for axes in figure.axes] == [[5000, 30], [0, 7]]


def test_calibration_agrees_with_scikit_learn(make_evaluation: Make) -> None:
    predictions = make_evaluation(skill=2.0).predictions
    confidence = predictions.probabilities.amax(dim=1)
    accuracy, mean_confidence = calibration_curve(predictions.correct, confidence, n_bins=15)
    above, below = curves.calibration(predictions, LIGHT).axes
    np.testing.assert_allclose(
        np.asarray(above.lines[-1].get_xydata()), np.stack([mean_confidence, accuracy], 1), rtol=1e-5
    )
    assert sum(bar.get_height() for bar in _bars(below)) == len(predictions.labels)


@pytest.mark.parametrize(("class_names", "named"), [(TWO, 2), (TEN, 4), (FORTY_SEVEN, 4)], ids=["2", "10", "47"])
def test_average_precision_is_that_of_scikit_learn(
    make_evaluation: Make, class_names: tuple[str, ...], named: int
) -> None:
    predictions = make_evaluation(class_names, skill=2.0).predictions
    areas = {
        name: average_precision_score(predictions.labels == label, predictions.probabilities[:, label])
        for label, name in enumerate(class_names)
    }
    worst = sorted(areas, key=areas.__getitem__)[:named]
    (legend,) = curves.precision_recall(predictions, LIGHT).legends
    entries = [text.get_text() for text in legend.get_texts()]
    assert set(entries) >= {f"{name}: {areas[name]:.4f}" for name in worst}
    assert len(entries) == named + (named < len(class_names))


def test_robustness_starts_at_unchanged_images(make_evaluation: Make) -> None:
    figure = curves.robustness(make_evaluation().robustness, LIGHT)
    assert figure is not None
    rotation, contrast = figure.axes
    np.testing.assert_allclose(np.asarray(rotation.lines[0].get_ydata(), dtype=float), [0.97, 0.9, 0.8, 0.1])
    assert [label.get_text() for label in contrast.get_xticklabels()] == ["none", "20", "70"]
    assert (rotation.get_xlabel(), contrast.get_xlabel()) == ("degrees", "percent lost")


def test_training_curves_show_what_the_history_has() -> None:
    history = [{"epoch": 1.0, "train/loss": 0.5}, {"epoch": 2.0, "train/loss": 0.3, "val/loss": 0.4, "lr": 0.1}]
    figure = curves.training(history, LIGHT)
    assert figure is not None
    loss, rate = figure.axes
    assert [np.asarray(line.get_xydata()).tolist() for line in loss.lines] == [[[1, 0.5], [2, 0.3]], [[2, 0.4]]]
    assert [np.asarray(line.get_xydata()).tolist() for line in rate.lines] == [[[2, 0.1]]]
    assert curves.training([], LIGHT) is None
    assert curves.training([{"epoch": 1.0, "other": 2.0}], LIGHT) is None


def test_two_trainings_lie_over_each_other_in_colours_of_their_own() -> None:
    rows = [{"epoch": epoch, "train/loss": 1 / epoch, "val/loss": 2 / epoch, "val/accuracy": 0.5} for epoch in (1, 2)]
    figure = curves.overlay([rows, rows[:1]], ["one", "two"], LIGHT)
    assert figure is not None
    loss, accuracy = figure.axes
    assert [(len(line.get_xdata()), line.get_color()) for line in loss.lines] == [  # type: ignore[arg-type]
        *[(2, LIGHT.first)] * 2,
        *[(1, LIGHT.second)] * 2,
    ]
    assert len(accuracy.lines) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["one", "two"]
    assert curves.overlay([[], []], ["one", "two"], LIGHT) is None


def test_agreement_counts_every_image(make_evaluation: Make) -> None:
    evaluation = make_evaluation(skill=2.0)
    figure = comparison.agreement(evaluation.comparison, LIGHT)
    assert figure is not None
    counts = [int(text.get_text()) for text in figure.axes[0].texts if text.get_text().isdigit()]
    assert len(counts) == 4
    assert sum(counts) == len(evaluation.images)


def test_embedding_names_each_class_and_crosses_mistakes() -> None:
    points, labels = torch.rand(60, 2), torch.arange(60) % 3
    correct = labels > 0
    (axes,) = classes.embedding(points, labels, correct, ("a", "b", "c"), LIGHT).axes
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]
    assert [len(np.asarray(dots.get_offsets())) for dots in axes.collections] == [60, 20]


def test_names_are_cut_and_hold_no_mathematics(make_evaluation: Make) -> None:
    assert drawable("Ankle boot") == "Ankle boot"
    assert drawable("a very long name indeed", 6) == "a ver…"
    for figure in draw_all(make_evaluation(("$\\frac$", "a$b", "$$", "x" * 80))).values():
        figure.savefig(io.BytesIO(), format="png", dpi=20)


def test_letters_that_the_usual_font_lacks_come_from_an_installed_one_or_are_written_by_their_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a font of two letters, of the private area so that no other has them."""
    mine, nobodys = "\uf8a1", "\uf8a2"
    builder = FontBuilder(100)
    builder.setupGlyphOrder([".notdef", "mine"])
    builder.setupCharacterMap({ord(mine): "mine"})
    pen = TTGlyphPen(None)
    for place in ((0, 0), (0, 80), (80, 80)):
        (pen.lineTo if place != (0, 0) else pen.moveTo)(place)
    pen.closePath()
    glyph = pen.glyph()
    builder.setupGlyf({".notdef": glyph, "mine": glyph})
    builder.setupHorizontalMetrics({".notdef": (100, 0), "mine": (100, 0)})
    builder.setupHorizontalHeader(ascent=80, descent=-20)
    builder.setupNameTable({"familyName": "Mine", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "mine.ttf")
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", list(manager.ttflist))
    manager.addfont(tmp_path / "mine.ttf")
    with rc_context():
        assert drawable(f"{mine} or {nobodys}") == f"{mine} or \\uf8a2"
        figure = pyplot.figure()
        figure.text(0, 0, drawable(mine + nobodys))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib warns where it draws a box
            figure.savefig(io.BytesIO())
    pyplot.close(figure)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0%"), (1e-6, "< 0.1%"), (0.001, "0.1%"), (0.123, "12.3%"), (0.9995, "> 99.9%"), (1, "100.0%")],
)
def test_percent_rounds_nothing_to_certainty(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_stand_out_from_the_page(theme: Theme) -> None:
    for colour in (theme.ink, theme.muted, theme.right, theme.wrong):
        assert _contrast(colour, theme.background) >= 4.5  # WCAG 2, level AA
    assert _contrast(theme.first, theme.background) >= 3


def _contrast(colour: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    low, high = sorted(_luminance(name) for name in (colour, other))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True))


def _cells(axes: Axes) -> dict[tuple[int, int], str]:
    """Texts of a confusion matrix by (label, prediction)."""
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}


def _bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def _lengths(axes: Axes) -> list[float]:
    return [bar.get_width() for bar in _bars(axes)]
