"""The study of augmentation, short of its trainings."""

import json
from pathlib import Path

import pytest

from digitrec.config import compose
from scripts.measure.study import AMOUNTS, COLUMNS, QUICK, SHORT, results, strengths, table


@pytest.mark.parametrize("strength", strengths())
def test_a_strength_is_a_configuration_and_multiplies_every_amount(strength: str) -> None:
    augmentation = compose("train", [*SHORT, *QUICK, *strengths()[strength]])["augmentation"]
    shipped = compose("train", ["experiment=handwriting"])["augmentation"]
    times = {"half": 0.5, "1.5 times": 1.5}.get(strength, 1.0)
    parts = {"none": [], "affine only": ["affine"]}.get(strength, list(AMOUNTS))
    assert list(augmentation) == parts
    for part in parts:
        for name in AMOUNTS[part]:
            assert augmentation[part][name] == pytest.approx(times * shipped[part][name])


def test_figures_of_several_seeds_become_mean_and_deviation(tmp_path: Path) -> None:
    figures = [dict.fromkeys(COLUMNS, share) for share in (0.98, 0.99)]
    lines = [{"strength": "half", "seed": seed, "settings": [], **row} for seed, row in enumerate(figures)]
    (tmp_path / "study.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = results(tmp_path / "study.jsonl")
    assert found == [(("half", 0, []), figures[0]), (("half", 1, []), figures[1])]
    assert table(found)[2].startswith("| half | 2 | 98.50% ± 0.71 |")
    assert results(tmp_path / "nothing") == []
