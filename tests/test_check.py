"""`scripts/check` refuses a tree that breaks a rule."""

import shutil
import sys
from pathlib import Path

import pytest

from digitrec.config.schema import CONF_DIR
from tests.command import run_command

ROOT = CONF_DIR.parent


@pytest.mark.parametrize("line", ["import os\n", "x = {  }\n"], ids=["lint", "format"])
def test_a_fault_ends_the_check_where_it_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/check", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "scripts" / "setup").symlink_to("/bin/true")  # the real one would clear an environment of another lock
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "module.py").write_text(f'"""A module."""\n\n{line}')
    checked = run_command(tmp_path / "scripts" / "check", code=1)
    assert checked.out.startswith("ruff ...\n")
    assert "module.py" in checked.out
    assert "mypy" not in checked.out
