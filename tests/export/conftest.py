from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from digitrec.export import __main__ as export
from digitrec.export import check
from tests.app.conftest import browser as browser
from tests.command import Command, Outcome


@pytest.fixture
def run_export(run_main: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`python -m digitrec.export ...` where no data are at hand, with fewer made digits than people get."""
    monkeypatch.setattr(check, "MADE", 300)
    monkeypatch.setenv("DIGITREC_DATA_DIR", str(tmp_path / "no_data"))
    return partial(run_main, export.main)
