"""docs/tour.ipynb runs as it stands, and shows as many pictures as when it was committed."""

import ast
import importlib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from digitrec.run_folder.find import find_runs

TOUR = Path(__file__).parent.parent / "docs" / "tour.ipynb"


def outputs(notebook: Any) -> list[list[str]]:
    """What each code cell puts out, texts aside: they hold times and paths."""
    return [
        [kind for output in cell.outputs for kind in output.get("data", {}) if kind.startswith("image/")]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_every_cell_ran_without_an_error() -> None:
    committed = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "error" not in {output.output_type for cell in cells for output in cell.outputs}


def test_what_the_tour_imports_is_there() -> None:
    cells = nbformat.read(TOUR, as_version=4).cells  # type: ignore[no-untyped-call]
    code = "\n".join(cell.source.removeprefix("%matplotlib inline") for cell in cells if cell.cell_type == "code")
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    assert len(imports) > 5
    for node in imports:
        module = importlib.import_module(node.module or "")
        assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@pytest.mark.slow
def test_every_cell_runs_and_shows_its_pictures(tmp_path: Path) -> None:
    committed = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    fresh = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    for cell in fresh.cells:
        cell["outputs"] = []
    NotebookClient(fresh, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert outputs(fresh) == outputs(committed)
    assert sum(map(len, outputs(committed))) == 3
    (run,) = find_runs([tmp_path / "outputs"], pytest.fail)
    assert (run.status, (run.folder / "checkpoints" / "best.ckpt").is_file()) == ("finished", True)
